"""The small parts of the API room: pages, bodies, query strings, gzip, JSON."""

from __future__ import annotations

import gzip
import json
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxkeep.api.bodies import BadBody, decode_json
from fluxkeep.api.compression import accepts_gzip, pack, pack_chunks, unpack
from fluxkeep.api.endpoint import Call
from fluxkeep.api.errors import STATUS_OF_CODE, error_response
from fluxkeep.api.paging import Page, page_links, parse_page
from fluxkeep.api.responses import encode_json
from fluxkeep.api.urls import parse_query
from fluxkeep.errors import FluxkeepError, Internal, InvalidInput, NotFound, TooLarge


def _call(query: str) -> Call:
    return Call(method="GET", path="/x", query=parse_query(query))


class TestPaging:
    @pytest.mark.parametrize(
        ("query", "message"),
        [
            ("limit=0", "limit must be between 1 and 100"),
            ("limit=101", "limit must be between 1 and 100"),
            ("limit=x", "limit is invalid"),
            ("offset=x", "offset is invalid"),
            ("after=zz", "decoding after: id must have a length of 16 bytes"),
            ("after=zzzzzzzzzzzzzzzz", "decoding after: invalid ID"),
            ("descending=x", "descending is invalid"),
        ],
    )
    def test_refusals(self, query: str, message: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            parse_page(_call(query))
        assert refused.value.message == message

    def test_empty_values_count_as_absent(self) -> None:
        assert parse_page(_call("limit=&offset=&after=&descending=")) == Page()

    def test_links(self) -> None:
        page = parse_page(_call("limit=3&offset=3&descending=T&sortBy=name"))
        assert page_links("/p", page, 3, {"bucket": "a b"}) == {
            "prev": "/p?bucket=a+b&descending=true&limit=3&offset=0&sortBy=name",
            "self": "/p?bucket=a+b&descending=true&limit=3&offset=3&sortBy=name",
            "next": "/p?bucket=a+b&descending=true&limit=3&offset=6&sortBy=name",
        }
        assert list(page_links("/p", Page(offset=-1), 19)) == ["self"]


class Shape(msgspec.Struct):
    name: str = ""


class TestBodies:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"", "EOF"),
            (b"  \n", "EOF"),
            (b"{", "unexpected EOF"),
            (b'{"name":"x', "unexpected EOF"),
            (b'{"name":', "unexpected EOF"),
        ],
    )
    def test_cut_bodies(self, body: bytes, reason: str) -> None:
        with pytest.raises(BadBody) as refused:
            decode_json(body, Shape)
        assert (refused.value.reason, refused.value.well_formed) == (reason, False)
        assert refused.value.message == f"failed to unmarshal json: {reason}"

    def test_what_follows_the_value_is_ignored(self) -> None:
        assert decode_json(b'{"name":"x","other":[1]} trailing', Shape).name == "x"

    def test_another_shape(self) -> None:
        with pytest.raises(BadBody) as refused:
            decode_json(b'{"name":5}', Shape)
        assert refused.value.well_formed

    @given(st.binary(max_size=60))
    def test_any_bytes_are_a_value_or_a_bad_body(self, body: bytes) -> None:
        try:
            outcome: object = decode_json(body, Shape)
        except BadBody as error:
            outcome = error.reason
        assert isinstance(outcome, Shape) or (isinstance(outcome, str) and outcome)

    def test_deep_nesting_is_refused(self) -> None:
        with pytest.raises(BadBody):
            decode_json(b"[" * 200_000, Shape)


class Inner(msgspec.Struct):
    seconds: int | None = None
    words: dict[str, str] | None = None


class Outer(msgspec.Struct):
    org_id: str | None = msgspec.field(name="orgID", default=None)
    count: int = 7
    inner: Inner | None = None
    rules: list[Inner] | None = None
    kept: str | msgspec.UnsetType | None = msgspec.UNSET


class TestBodiesAsTheReferenceReadsThem:
    """Null leaves a member as it was, and a name counts in any case (encoding/json)."""

    def test_null_is_nothing_said(self) -> None:
        assert decode_json(b"null", Outer) == Outer()
        assert decode_json(b" null ", list[Inner]) == []
        assert decode_json(b"null", dict[str, str]) == {}
        assert decode_json(b'{"count":null}', Outer) == Outer()
        assert decode_json(b'{"rules":[null,{"seconds":1}]}', Outer) == Outer(rules=[Inner(), Inner(seconds=1)])
        assert decode_json(b'{"inner":{"words":{"a":null}}}', Outer) == Outer(inner=Inner(words={"a": ""}))
        assert decode_json(b'{"a":null,"b":"c"}', dict[str, str]) == {"a": "", "b": "c"}

    def test_null_is_kept_where_it_means_something(self) -> None:
        assert decode_json(b'{"kept":null}', Outer).kept is None
        assert decode_json(b'{"count":null,"kept":null}', Outer).kept is None

    def test_names_in_any_case(self) -> None:
        assert decode_json(b'{"orgid":"x"}', Outer).org_id == "x"
        assert decode_json(b'{"ORGID":"x","Inner":{"SECONDS":3}}', Outer) == Outer(org_id="x", inner=Inner(seconds=3))
        # The last one counts, whatever its case.
        assert decode_json(b'{"orgID":"x","orgid":"y"}', Outer).org_id == "y"
        assert decode_json(b'{"orgid":"y","orgID":"x"}', Outer).org_id == "x"
        # What the caller names is the caller's.
        assert decode_json(b'{"inner":{"words":{"A":"1","a":"2"}}}', Outer).inner == Inner(words={"A": "1", "a": "2"})

    def test_other_shapes_are_still_refused(self) -> None:
        for body in (
            b"[]",
            b'{"count":"1"}',
            b'{"COUNT":"1"}',
            b'{"rules":{}}',
            b'{"rules":[1]}',
            b'{"rules":[null,1]}',
        ):
            with pytest.raises(BadBody) as refused:
                decode_json(body, Outer)
            assert refused.value.well_formed


class TestQueryStrings:
    @given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=8))))
    def test_round_trip(self, pairs: list[tuple[str, str]]) -> None:
        pairs = [(name.replace("\ud800", ""), value) for name, value in pairs]
        wanted: dict[str, list[str]] = {}
        for name, value in parse_qsl(urlencode(pairs), keep_blank_values=True):
            wanted.setdefault(name, []).append(value)
        assert parse_query(urlencode(pairs)) == wanted

    def test_malformed_pairs_are_dropped(self) -> None:
        assert parse_query("a=%zz&b=1&c=%4&d=x;y&e") == {"b": ["1"], "e": [""]}


class TestGzip:
    @settings(deadline=None)
    @given(st.lists(st.binary(max_size=500), max_size=5))
    def test_round_trips(self, parts: list[bytes]) -> None:
        whole = b"".join(parts)
        assert unpack(pack(whole), "gzip", 10_000) == whole
        assert gzip.decompress(b"".join(pack_chunks(iter(parts)))) == whole
        assert unpack(b"".join(gzip.compress(part) for part in parts) or gzip.compress(b""), "x-gzip", 10_000) == whole

    def test_refusals(self) -> None:
        packed = gzip.compress(b"a" * 100, mtime=0)
        with pytest.raises(InvalidInput, match="invalid header"):
            unpack(b"plain", "gzip", 1000)
        with pytest.raises(InvalidInput, match="invalid checksum"):
            unpack(packed[:-8] + b"\0" * 4 + packed[-4:], "gzip", 1000)
        with pytest.raises(Internal, match="unexpected EOF"):
            unpack(packed[:-5], "gzip", 1000)

    def test_what_stands_behind_a_member_is_one_too(self) -> None:
        packed = gzip.compress(b"a", mtime=0)
        with pytest.raises(InvalidInput, match="gzip: invalid header"):
            unpack(packed + b"something else", "gzip", 1000)
        with pytest.raises(Internal, match="unexpected EOF"):
            unpack(packed + b"junk", "gzip", 1000)
        with pytest.raises(InvalidInput, match="gzip: invalid header"):
            unpack(packed[:2] + b"\x07" + packed[3:], "gzip", 1000)

    def test_a_bomb_stops_at_the_limit(self) -> None:
        packed = gzip.compress(bytes(1000))
        assert len(unpack(packed, "gzip", 1000)) == 1000
        with pytest.raises(TooLarge):
            unpack(packed, "gzip", 999)

    def test_other_encodings_are_none(self) -> None:
        assert unpack(b"plain", "deflate", 1) == b"plain"

    @pytest.mark.parametrize(
        ("header", "accepted"),
        [("gzip", True), ("*", True), ("br, GZIP;q=0.1", True), ("gzip; q=0", False), ("", False), ("identity", False)],
    )
    def test_accept_encoding(self, header: str, accepted: bool) -> None:
        assert accepts_gzip(header) is accepted


class TestJson:
    @given(st.dictionaries(st.text(max_size=5), st.text(max_size=20)))
    def test_it_says_the_same_and_holds_no_markup(self, value: dict[str, str]) -> None:
        body = encode_json(value)
        assert json.loads(body) == value
        assert not set(body) & set(b"<>&")


def _all_errors(kind: type[FluxkeepError]) -> list[type[FluxkeepError]]:
    return [kind, *(found for below in kind.__subclasses__() for found in _all_errors(below))]


class TestErrors:
    def test_every_code_has_a_status(self) -> None:
        codes = {kind.code for kind in _all_errors(FluxkeepError) if kind.__module__ == "fluxkeep.errors"}
        assert codes == set(STATUS_OF_CODE)

    def test_an_empty_message_is_the_code(self) -> None:
        assert json.loads(bytes(error_response(NotFound("")).body)) == {"code": "not found", "message": "<not found>"}
