"""Delete and query requests as they are read, by the recorded texts."""

from __future__ import annotations

import pytest

from fluxkeep.api.v2.delete_predicate import PredicateUnreadable, parse_predicate
from fluxkeep.api.v2.query_request import read_request
from fluxkeep.datamodel.predicates import And, Compare, Op, Or
from fluxkeep.errors import InvalidInput, Unsupported


class TestPredicates:
    def test_rules(self) -> None:
        assert parse_predicate("") is None
        assert parse_predicate('host="a"') == Compare("host", Op.EQ, "a")
        assert parse_predicate("host != -1.5") == Compare("host", Op.NE, "-1.5")
        assert parse_predicate('_measurement="m" AND (host="h3" and "x y"=true)') == And(
            (Compare("_measurement", Op.EQ, "m"), And((Compare("host", Op.EQ, "h3"), Compare("x y", Op.EQ, "true"))))
        )
        assert parse_predicate(r'host="it\"s"') == Compare("host", Op.EQ, 'it"s')

    def test_values_and_times_are_tags_that_nobody_has(self) -> None:
        assert parse_predicate("_value=1") == Or(())
        assert parse_predicate('_time!="x"') == And(())

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('host="a" OR host="b"', "the logical operator OR is not supported yet at position 9"),
            ("host=~/a/", 'operator: "=~" at position: 4 is not supported yet'),
            ('host>="a"', 'invalid operator ">=" at position: 4'),
            ("host='a'", 'bad tag value: "a", at position 4'),
            ("host", 'invalid operator "EOF" at position: 5'),
            ('"host"', 'invalid operator "EOF" at position: 6'),
            ('"a"="b', 'bad tag value: "b", at position 3'),
            ('(host="a"', "extra ( seen"),
            ('host="a")', "extra ) seen"),
            ('not host="a"', 'invalid operator "IDENT" at position: 4'),
            ('host="a" host="b"', "the logical operator '\\x00' is invalid"),
            ("1=1", "bad tag key, at position 0"),
            ('host="a"; drop', "bad logical expression, at position 8"),
        ],
    )
    def test_refused_by_the_rules(self, text: str, message: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            parse_predicate(text)
        assert refused.value.message == message

    @pytest.mark.parametrize(
        ("text", "found", "char"),
        [(" ", "EOF", 3), ('host="a" AND', "EOF", 14), ('AND host="a"', "AND", 1), ('name="x"', "NAME", 1)],
    )
    def test_refused_as_an_expression(self, text: str, found: str, char: int) -> None:
        with pytest.raises(PredicateUnreadable) as refused:
            parse_predicate(text)
        assert refused.value.message == (
            f"invalid request; error parsing predicate: found {found}, "
            f"expected identifier, string, number, bool at line 1, char {char}"
        )

    def test_fields_cannot_be_chosen(self) -> None:
        with pytest.raises(Unsupported):
            parse_predicate('_field="v"')

    def test_nesting_is_bounded(self) -> None:
        with pytest.raises(InvalidInput, match="nest deeper"):
            parse_predicate("(" * 10_000)


class TestQueryRequests:
    def test_forms(self) -> None:
        assert read_request(b"buckets()", "application/vnd.flux; charset=utf-8").text == "buckets()"
        request = read_request(
            b'{"query":"1","dialect":{"delimiter":";","annotations":["group"],"header":false}} x', ""
        )
        assert (request.text, request.delimiter, request.annotations, request.header) == ("1", ";", ("group",), False)
        assert read_request(b'{"query":"1","now":"1970-01-01T00:00:01Z"}', "application/json").now_ns == 1_000_000_000
        assert read_request(b'{"query":"1","dialect":{"delimiter":""}}', "").delimiter == ","

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"{}", "request body requires either query or AST"),
            (b'{"query":"1","type":"sql"}', "unknown query type: sql"),
            (b'{"query":"1","dialect":{"delimiter":",,"}}', "invalid dialect delimeter: must be length 1"),
            ('{"query":"1","dialect":{"delimiter":"☃"}}'.encode(), "invalid dialect delimeter: must be length 1"),
            (
                b'{"query":"1","dialect":{"commentPrefix":"//"}}',
                "invalid dialect comment prefix: must be length 0 or 1",
            ),
            (b'{"query":"1","dialect":{"annotations":["bogus"]}}', "unknown dialect annotation type: bogus"),
            (b'{"query":"1","dialect":{"dateTimeFormat":"unix"}}', "unknown dialect date time format: unix"),
        ],
    )
    def test_refusals(self, body: bytes, message: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            read_request(body, "application/json")
        assert refused.value.message == message

    def test_no_json(self) -> None:
        with pytest.raises(InvalidInput, match=r"sending a raw Flux script.*: unexpected EOF"):
            read_request(b"{", "application/json")

    @pytest.mark.parametrize(
        ("content_type", "message"), [("nonsense/;", "mime: expected token after slash"), ("/x", "mime: no media type")]
    )
    def test_malformed_types(self, content_type: str, message: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            read_request(b"x", content_type)
        assert refused.value.message == message
