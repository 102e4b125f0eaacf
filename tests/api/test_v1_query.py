"""Forms of a request to `/query` and what is made of them."""

from __future__ import annotations

import pytest
from tests.influxql.kit import MemorySources, lines

from fluxkeep.api.endpoint import Call, Gate
from fluxkeep.api.v1.query import METHODS, answer, endpoints, read_request
from fluxkeep.clock import ManualClock
from fluxkeep.errors import InvalidInput

FORM = "application/x-www-form-urlencoded"


def call(method: str = "GET", *, query: dict[str, list[str]] | None = None, body: bytes = b"", **headers: str) -> Call:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(method=method, path="/query", query=query or {}, body=body, headers=named)


def test_parameters_of_the_url() -> None:
    asked = read_request(call(query={"q": ["SELECT 1"], "db": ["d"], "rp": ["p"], "epoch": ["s"], "params": ["{}"]}))
    assert (asked.query, asked.database, asked.policy, asked.epoch, asked.parameters) == (
        "SELECT 1",
        "d",
        "p",
        "s",
        "{}",
    )
    assert asked.chunk_size is None
    assert asked.media == "application/json"


def test_the_form_wins_over_the_url() -> None:
    asked = read_request(
        call("POST", query={"db": ["url"], "rp": ["kept"]}, body=b"q=SHOW+DATABASES&db=form", content_type=FORM)
    )
    assert (asked.query, asked.database, asked.policy) == ("SHOW DATABASES", "form", "kept")


def test_a_body_of_influxql() -> None:
    asked = read_request(call("POST", body=b"SHOW DATABASES", content_type="application/vnd.influxql"))
    assert asked.query == "SHOW DATABASES"


def test_a_part_of_a_multipart_body() -> None:
    body = (
        b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\nno\r\n'
        b'--B\r\nContent-Disposition: form-data; name="q"; filename="q.txt"\r\n\r\nSHOW DATABASES\r\n--B--\r\n'
    )
    asked = read_request(call("POST", body=body, content_type="multipart/form-data; boundary=B"))
    assert asked.query == "SHOW DATABASES"


@pytest.mark.parametrize("content_type", ["", "text", ";"])
def test_neither_query_nor_content_type(content_type: str) -> None:
    with pytest.raises(InvalidInput, match="mime: no media type"):
        read_request(call("POST", query={"q": [""]}, body=b"SELECT", content_type=content_type))


def test_another_content_type_without_query_answers_nothing() -> None:
    asked = read_request(call("POST", body=b"{}", content_type="application/json"))
    assert asked.query is None
    assert answer(asked, MemorySources({}), 0).body == b"{}\n"


@pytest.mark.parametrize(
    ("chunked", "size", "expected"),
    [("true", "5", 5), ("true", "x", 10_000), ("true", "0", 10_000), ("true", "", 10_000), ("1", "5", None)],
)
def test_chunk_sizes(chunked: str, size: str, expected: int | None) -> None:
    asked = read_request(call(query={"q": ["x"], "chunked": [chunked], "chunk_size": [size]}))
    assert asked.chunk_size == expected


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("application/csv", "application/csv"),
        ("text/csv", "text/csv"),
        ("application/x-msgpack", "application/x-msgpack"),
        ("application/csv, text/html", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
)
def test_formats_by_exact_accept(accept: str, media: str) -> None:
    assert read_request(call(query={"q": ["x"]}, accept=accept)).media == media


def test_bad_parameters_are_a_bad_request() -> None:
    asked = read_request(call(query={"q": ["SHOW DATABASES"], "params": ["{x"]}))
    with pytest.raises(InvalidInput) as refused:
        answer(asked, MemorySources({}), 0)
    assert refused.value.message == (
        "error parsing query parameters: invalid character 'x' looking for beginning of object key string"
    )


def test_large_answers_are_streamed_in_the_chunks_asked_for() -> None:
    points = "\n".join(f'm s="{"x" * 100}" {i}' for i in range(5_000))
    asked = read_request(
        call(query={"q": ["SELECT s FROM m"], "db": ["db"], "chunked": ["true"], "chunk_size": ["100"]})
    )
    response = answer(asked, MemorySources({"db": lines(points)}), 0)
    assert not response.body


def test_any_method_is_accepted_behind_the_v1_gate() -> None:
    found = endpoints(lambda _access, _gone, _warn: MemorySources({}), ManualClock())
    assert [e.method for e in found] == list(METHODS)
    assert {"HEAD", "OPTIONS"} < set(METHODS)
    assert {e.gate for e in found} == {Gate.V1}
