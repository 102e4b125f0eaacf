"""The application from the outside of one request: gate, routes, errors, packing, limits."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable

import pytest
from starlette.responses import Response
from tests.api.incoming import People, Request, ask

from fluxkeep.api.app import Application
from fluxkeep.api.endpoint import Call, Endpoint, Gate, Runs, Style
from fluxkeep.api.limits import Limits
from fluxkeep.api.pool import WorkerPool
from fluxkeep.api.responses import Stream, json_response, no_content
from fluxkeep.errors import NotFound, TooManyRequests, Unavailable
from fluxkeep.metrics import Metrics


def _echo(call: Call) -> Response:
    return json_response(
        {
            "params": dict(call.params),
            "query": dict(call.query),
            "body": call.body.decode(),
            "headers": dict(call.headers),
        }
    )


def _fail(_call: Call) -> Response:
    raise NotFound("no such thing <here> & now")


def _crash(_call: Call) -> Response:
    raise ZeroDivisionError("a detail nobody may see")


def _busy(_call: Call) -> Response:
    raise TooManyRequests("slowly", retry_after_seconds=7)


def _long(_call: Call) -> Response:
    return Response(b"x" * 5000, 200, {"content-type": "text/csv; charset=utf-8"})


def _short(_call: Call) -> Response:
    return Response(b"x" * 100, 200, {"content-type": "text/csv; charset=utf-8"})


def _streamed(_call: Call) -> Response:
    return Stream(iter([b"one,", b"two"]), 200, {"content-type": "text/csv"})


def _endpoint(path: str, handler: Callable[[Call], Response], **attributes: object) -> Endpoint:
    return Endpoint(method="POST", path=path, handler=handler, needs="nothing", **attributes)  # type: ignore[arg-type]


ENDPOINTS = [
    Endpoint(method="GET", path="/api/v2/things", handler=_echo, needs="nothing"),
    Endpoint(method="GET", path="/api/v2/things/{id}", handler=_echo, needs="nothing", runs=Runs.LOOP),
    Endpoint(method="GET", path="/api/v2/things/{id}/members", handler=_echo, needs="nothing"),
    Endpoint(method="GET", path="/api/v2/setup", handler=_echo, gate=Gate.OPEN, needs="nothing"),
    _endpoint("/api/v2/write", _echo, style=Style.C),
    _endpoint("/api/v2/fail", _fail),
    _endpoint("/api/v2/crash", _crash),
    _endpoint("/api/v2/busy", _busy),
    _endpoint("/api/v2/long", _long, packs=True),
    _endpoint("/api/v2/short", _short, packs=True),
    _endpoint("/api/v2/streamed", _streamed, packs=True),
    _endpoint("/api/v2/own", _echo, own_credentials=True),
    Endpoint(method="*", path="/query", handler=_echo, gate=Gate.V1, needs="nothing", style=Style.C),
    Endpoint(method="*", path="/ping", handler=lambda _call: no_content(), gate=Gate.OPEN, needs="nothing"),
]
TOKEN = {"authorization": "Token operator"}


def _message(response: Response) -> str:
    return str(json.loads(bytes(response.body))["message"])


class TestGate:
    @pytest.mark.parametrize("scheme", ["Token", "token", "TOKEN", "Bearer", "bearer"])
    def test_schemes(self, scheme: str) -> None:
        assert ask(ENDPOINTS, "GET", "/api/v2/things", {"authorization": f"{scheme} operator"}).status_code == 200

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "Token",
            "Token ",
            "Token  operator",
            "Token=operator",
            "operator",
            "Basic b3BlcmF0b3I6eA==",
            "Digest operator",
        ],
    )
    def test_refused(self, value: str) -> None:
        response = ask(ENDPOINTS, "GET", "/api/v2/things", {"authorization": value})
        assert (response.status_code, _message(response)) == (401, "unauthorized access")
        assert response.headers["x-platform-error-code"] == "unauthorized"

    def test_a_blank_after_the_secret_does_not_belong_to_it(self) -> None:
        assert ask(ENDPOINTS, "GET", "/api/v2/things", {"authorization": "Token operator "}).status_code == 200

    def test_a_wrong_token_does_not_fall_back_to_the_cookie(self) -> None:
        cookie = {"cookie": "a=b; influxdb-oss-session=operator"}
        assert ask(ENDPOINTS, "GET", "/api/v2/things", cookie).status_code == 200
        assert ask(ENDPOINTS, "GET", "/api/v2/things", {**cookie, "authorization": "Basic x"}).status_code == 200
        assert ask(ENDPOINTS, "GET", "/api/v2/things", {**cookie, "authorization": "Token wrong"}).status_code == 401

    def test_an_inactive_user_is_403(self) -> None:
        response = ask(ENDPOINTS, "GET", "/api/v2/things", {"authorization": "Token inactive-user"})
        assert (response.status_code, _message(response)) == (403, "User is inactive")

    @pytest.mark.parametrize("path", ["/api/v2/nope", "/api/v2", "/private/nope", "/v1/nope", "/api/v2private/x"])
    def test_nobody_learns_which_paths_exist(self, path: str) -> None:
        assert ask(ENDPOINTS, "GET", path).status_code == 401
        assert ask(ENDPOINTS, "GET", path, TOKEN).status_code == 404

    def test_open_paths_are_exact(self) -> None:
        assert ask(ENDPOINTS, "GET", "/api/v2/setup", {"authorization": "Token wrong"}).status_code == 200
        assert ask(ENDPOINTS, "GET", "/api/v2/setup/").status_code == 401
        assert ask(ENDPOINTS, "DELETE", "/api/v2/setup").status_code == 401

    def test_outside_layer_a_nothing_is_asked(self) -> None:
        assert ask(ENDPOINTS, "GET", "/ping", {"authorization": "Token wrong"}).status_code == 204
        assert ask(ENDPOINTS, "GET", "/elsewhere").status_code == 404


class TestV1Gate:
    @pytest.mark.parametrize(
        ("target", "authorization"),
        [
            ("/query?u=v1user&p=v1pass", ""),
            ("/query?u=any&p=operator", "Token wrong"),
            ("/query?u=&p=", "Token operator"),
            ("/query", "Token operator"),
            ("/query", "Token any:operator"),
            ("/query", "Basic djF1c2VyOnYxcGFzcw=="),
            ("/query", "basic djF1c2VyOnYxcGFzcw=="),
        ],
    )
    def test_accepted(self, target: str, authorization: str) -> None:
        assert ask(ENDPOINTS, "GET", target, {"authorization": authorization}).status_code == 200

    @pytest.mark.parametrize(
        ("target", "authorization"),
        [
            ("/query", ""),
            ("/query", "Bearer operator"),
            ("/query", "token operator"),
            ("/query", "Token  operator"),
            ("/query", "Basic garbage"),
            ("/query?u=v1user", ""),
            ("/query?p=operator", ""),
        ],
    )
    def test_unreadable(self, target: str, authorization: str) -> None:
        response = ask(ENDPOINTS, "GET", target, {"authorization": authorization})
        assert (response.status_code, _message(response)) == (401, "unauthorized access")

    @pytest.mark.parametrize(
        ("target", "authorization"),
        [
            ("/query?u=v1user&p=wrong", "Token operator"),
            ("/query", "Token wrong"),
            ("/query", "Token inactive"),
            ("/query", "Token inactive-user"),
            ("/query", "Basic YW55Ondyb25n"),
        ],
    )
    def test_read_and_refused(self, target: str, authorization: str) -> None:
        response = ask(ENDPOINTS, "GET", target, {"authorization": authorization})
        assert (response.status_code, _message(response)) == (401, "Unauthorized")

    def test_the_cookie_does_not_count(self) -> None:
        assert ask(ENDPOINTS, "GET", "/query", {"cookie": "influxdb-oss-session=operator"}).status_code == 401


class TestRoutes:
    def test_parameters_and_query(self) -> None:
        response = ask(ENDPOINTS, "GET", "/api/v2/things/a%20b?x=1&x=2&y=%zz&z=a+b%26", TOKEN)
        assert json.loads(bytes(response.body))["query"] == {"x": ["1", "2"], "z": ["a b&"]}

    @pytest.mark.parametrize("path", ["/api/v2//things", "/api/v2/Things", "/api/v2/things//members"])
    def test_paths_are_not_cleaned(self, path: str) -> None:
        assert ask(ENDPOINTS, "GET", path, TOKEN).status_code == 404

    def test_a_slash_too_many(self) -> None:
        assert ask(ENDPOINTS, "GET", "/api/v2/things/", TOKEN).status_code == 200
        response = ask(ENDPOINTS, "POST", "/api/v2/write/?a=b", TOKEN)
        assert (response.status_code, response.headers["location"]) == (308, "/api/v2/write?a=b")

    def test_below_a_tenant_family_the_answer_is_plain(self) -> None:
        response = ask(ENDPOINTS, "GET", "/api/v2/things/1/nope", TOKEN)
        assert (response.status_code, bytes(response.body)) == (404, b"404 page not found\n")

    def test_a_wrong_method_by_style(self) -> None:
        tenant = ask(ENDPOINTS, "PUT", "/api/v2/things", TOKEN)
        assert (tenant.status_code, bytes(tenant.body), "allow" in tenant.headers) == (405, b"", False)
        classic = ask(ENDPOINTS, "GET", "/api/v2/write", TOKEN)
        assert (classic.status_code, classic.headers["allow"]) == (405, "OPTIONS, POST")
        assert _message(classic) == "allow: OPTIONS, POST"


class TestErrors:
    def test_an_error_has_two_members_and_its_code_as_a_header(self) -> None:
        response = ask(ENDPOINTS, "POST", "/api/v2/fail", TOKEN)
        assert response.status_code == 404
        assert bytes(response.body) == (
            b'{"code":"not found","message":"no such thing \\u003chere\\u003e \\u0026 now"}'
        )
        assert response.headers["x-platform-error-code"] == "not found"

    def test_a_crash_tells_no_detail(self) -> None:
        response = ask(ENDPOINTS, "POST", "/api/v2/crash", TOKEN)
        assert response.status_code == 500
        assert _message(response) == "An internal error has occurred - check server logs"

    def test_too_many_requests_say_when_to_come_back(self) -> None:
        response = ask(ENDPOINTS, "POST", "/api/v2/busy", TOKEN)
        assert (response.status_code, response.headers["retry-after"]) == (429, "7")


class TestHeaders:
    def test_handlers_do_not_see_credentials(self) -> None:
        sent = {**TOKEN, "cookie": "influxdb-oss-session=operator", "x-other": "1"}
        seen = json.loads(bytes(ask(ENDPOINTS, "GET", "/api/v2/things", sent).body))["headers"]
        assert "x-other" in seen
        assert not {"authorization", "cookie"} & set(seen)

    def test_those_that_read_their_own_do(self) -> None:
        assert b"Token operator" in bytes(ask(ENDPOINTS, "POST", "/api/v2/own", TOKEN).body)

    def test_cors(self) -> None:
        origin = {"origin": "http://a.example"}
        preflight = ask(ENDPOINTS, "OPTIONS", "/api/v2/things", origin)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "http://a.example"
        assert preflight.headers["access-control-allow-methods"] == "POST, GET, OPTIONS, PUT, DELETE, PATCH"
        assert ask(ENDPOINTS, "OPTIONS", "/api/v2/things").status_code == 405
        refused = ask(ENDPOINTS, "GET", "/api/v2/things", origin)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "http://a.example")
        assert "access-control-allow-origin" not in ask(ENDPOINTS, "GET", "/ping", origin).headers


class TestPacking:
    def test_a_long_answer_is_packed_where_that_is_accepted(self) -> None:
        packed = ask(ENDPOINTS, "POST", "/api/v2/long", {**TOKEN, "accept-encoding": "deflate, gzip;q=0.5"})
        assert gzip.decompress(bytes(packed.body)) == b"x" * 5000
        assert packed.headers["content-length"] == str(len(packed.body))
        for encoding in ("", "identity", "gzip;q=0"):
            plain = ask(ENDPOINTS, "POST", "/api/v2/long", {**TOKEN, "accept-encoding": encoding})
            assert (len(plain.body), plain.headers["vary"]) == (5000, "Accept-Encoding")

    def test_a_short_one_is_not(self) -> None:
        response = ask(ENDPOINTS, "POST", "/api/v2/short", {**TOKEN, "accept-encoding": "gzip"})
        assert "content-encoding" not in response.headers

    def test_a_stream_is_packed_piece_by_piece(self) -> None:
        response = ask(ENDPOINTS, "POST", "/api/v2/streamed", {**TOKEN, "accept-encoding": "gzip"})
        assert isinstance(response, Stream)
        assert gzip.decompress(b"".join(response.chunks)) == b"one,two"


class TestLimits:
    @pytest.mark.parametrize("headers", [{}, {"transfer-encoding": "chunked"}])
    def test_a_body_above_the_limit_is_413_and_names_it(self, headers: dict[str, str]) -> None:
        limits = Limits(body_bytes_max=10)
        assert (
            ask(ENDPOINTS, "POST", "/api/v2/write", {**TOKEN, **headers}, b"0123456789", limits=limits).status_code
            == 200
        )
        response = ask(ENDPOINTS, "POST", "/api/v2/write", {**TOKEN, **headers}, b"0123456789a", limits=limits)
        assert response.status_code == 413
        assert "10 bytes (http-body-bytes-max)" in _message(response)

    def test_a_full_pool_is_503(self) -> None:
        async def overfill() -> list[int]:
            application = Application(
                ENDPOINTS, recognizer=People(), metrics=Metrics(), limits=Limits(threads_max=1, waiting_max=0)
            )
            sent = {**TOKEN, "content-length": "0"}
            answers = await asyncio.gather(
                *(application.respond(Request("POST", "/api/v2/own", sent)) for _ in range(4))
            )
            await application.stop()
            return sorted(answer.status_code for answer in answers)

        assert asyncio.run(overfill()) == [200, 503, 503, 503]


class TestPool:
    def test_results_and_errors_come_back(self) -> None:
        async def use() -> None:
            pool = WorkerPool(2, 10)
            assert await pool.run(divmod, 7, 2) == (3, 1)
            with pytest.raises(ZeroDivisionError):
                await pool.run(divmod, 7, 0)
            pool.close()
            with pytest.raises(Unavailable):
                await pool.run(divmod, 7, 2)

        asyncio.run(use())

    def test_a_caller_that_leaves_does_not_hold_a_place(self) -> None:
        async def use() -> int:
            pool = WorkerPool(1, 0)
            task = asyncio.create_task(pool.run(divmod, 1, 1))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0.05)
            quotient, _ = await pool.run(divmod, 9, 4)
            pool.close()
            return quotient

        assert asyncio.run(use()) == 2
