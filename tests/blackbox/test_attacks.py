"""Known attacks that need the whole server, each by its name. Others are in `tests/credentials/test_attacks.py`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.blackbox.process import Server, bucket_permission

pytestmark = pytest.mark.slow


@dataclass
class Two:
    """Two organizations, each with a bucket, a point in it, and tokens to read and to write it."""

    server: Server
    operator: str
    org: str
    bucket: str
    reader: str
    writer: str
    other_org: str
    other_bucket: str
    other_reader: str


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    server = Server(tmp_path_factory.mktemp("attacks") / "data")
    server.start()
    try:
        made = server.set_up()
        operator, org, bucket = made["auth"]["token"], made["org"]["id"], made["bucket"]["id"]
        other = server.ask("POST", "/api/v2/orgs", operator, {"name": "other"}).json["id"]
        theirs = server.ask("POST", "/api/v2/buckets", operator, {"orgID": other, "name": "theirs"}).json["id"]
        tokens = [
            server.token(operator, where, bucket_permission(action, where, what))["token"]
            for action, where, what in (("read", org, bucket), ("write", org, bucket), ("read", other, theirs))
        ]
        assert server.write(operator, "m v=1 1700000000000000000").status == 204
        assert server.write(operator, "m v=2 1700000000000000000", "theirs", "other").status == 204
        yield Two(server, operator, org, bucket, tokens[0], tokens[1], other, theirs, tokens[2])
    finally:
        server.kill()


def rows_of(two: Two, token: str, source: str, org: str = "house") -> int:
    answer = two.server.flux(token, f"from({source}) |> range(start: 0)", org)
    return answer.text.count(",m\r\n") if answer.status == 200 else -answer.status


def test_w31_another_organization_s_bucket_by_id(two: Two) -> None:
    own, theirs = f'bucketID: "{two.bucket}"', f'bucketID: "{two.other_bucket}"'
    assert rows_of(two, two.reader, own) == 1
    assert rows_of(two, two.reader, theirs) == -404
    assert rows_of(two, two.reader, theirs, "other") == -404
    assert rows_of(two, two.writer, own) == -404
    assert rows_of(two, two.other_reader, theirs, "other") == 1
    assert rows_of(two, two.operator, theirs, "other") == 1
    off = two.server.token(two.operator, two.org, bucket_permission("read", two.org, two.bucket))
    two.server.ask("PATCH", f"/api/v2/authorizations/{off['id']}", two.operator, {"status": "inactive"})
    assert rows_of(two, off["token"], own) == -401


def test_a_read_token_deletes_nothing(two: Two) -> None:
    before = rows_of(two, two.reader, 'bucket: "house"')
    span = {"start": "2000-01-01T00:00:00Z", "stop": "2100-01-01T00:00:00Z"}
    answer = two.server.ask("POST", "/api/v2/delete?org=house&bucket=house", two.reader, dict(span))
    assert (answer.status, answer.json["message"]) == (403, "insufficient permissions to delete")
    for statement in ("DELETE+FROM+m", "DROP+MEASUREMENT+m", "DROP+SERIES+FROM+m", "DROP+DATABASE+house"):
        answer = two.server.ask("POST", f"/query?db=house&q={statement}", two.reader)
        assert answer.status != 200 or "error" in answer.text, statement
    assert rows_of(two, two.reader, 'bucket: "house"') == before == 1


def test_a_write_token_reads_nothing(two: Two) -> None:
    assert rows_of(two, two.writer, 'bucket: "house"') == -404
    assert "series" not in two.server.ask("GET", "/query?db=house&q=SELECT+*+FROM+m", two.writer).text
    assert two.server.ask("GET", "/api/v2/authorizations", two.writer).json["authorizations"] == []


def test_oversized_headers_are_refused_and_the_server_goes_on(two: Two) -> None:
    for size in (16_000, 100_000, 1_000_000):
        try:
            answer = two.server.ask("GET", "/api/v2/me", headers={"Authorization": "Token " + "x" * size})
        except OSError:
            # Cut off before the end is as good an answer.
            continue
        assert answer.status in (400, 401, 413, 431)
    assert two.server.ask("GET", "/api/v2/me", two.operator).status == 200


@pytest.mark.parametrize("value", [b"\xff\xfe", b"\xc3\x28", "ü".encode(), b"a\x01b"])
def test_tokens_that_are_no_text(two: Two, value: bytes) -> None:
    try:
        answer = two.server.ask("GET", "/api/v2/me", headers={"Authorization": "Token " + value.decode("latin-1")})
    except OSError:
        return
    assert answer.status in (400, 401)
    assert two.server.ask("GET", "/api/v2/me", two.operator).status == 200


def test_a_cross_site_request_with_a_cookie(two: Two) -> None:
    """A page of another site makes the browser send the cookie; the origin gives it away."""
    basic = base64.b64encode(b"house:house-password").decode()
    cookie = two.server.ask("POST", "/api/v2/signin", headers={"Authorization": f"Basic {basic}"}).headers["set-cookie"]
    assert "SameSite=Strict" in cookie
    assert "HttpOnly" in cookie
    session = {"Cookie": cookie.partition(";")[0]}
    own = two.server.ask("POST", "/api/v2/orgs", None, {"name": "mine"}, {**session, "Origin": two.server.url})
    assert own.status == 201
    foreign = {**session, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = two.server.ask("POST", "/api/v2/orgs", None, {"name": "forged"}, foreign)
    assert answer.status in (401, 403)
    names = [one["name"] for one in two.server.ask("GET", "/api/v2/orgs", two.operator).json["orgs"]]
    assert "forged" not in names
