"""The native scanner and its pure twin agree on any bytes."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.lineprotocol.same import assert_same

from fluxkeep.datamodel.point_rows import rows_of
from fluxkeep.datamodel.points import PointBatch
from fluxkeep.instants import Precision
from fluxkeep.lineprotocol import ParseLimits, SeriesMemory, parse, parse_together, pure

NOW = 1_700_000_000_123_456_789

# Bytes that mean something, so that chance meets the grammar.
SOUP = st.lists(
    st.sampled_from(
        [
            *(bytes([b]) for b in b'am=, \\"\n\t\x00#-.i1u0eE+tTfFnN\xff\r'),
            b"m,t=a f=1 1\n",
            b'f="x"',
            b"true",
            b"\xe2\x98\x83",
        ]
    )
    | st.binary(min_size=1, max_size=2),
    max_size=40,
).map(b"".join)

NAMES = st.sampled_from(["m", "cpu", "a b", "c,d", "e=f", 'q"r', "back\\slash", "☃", "x\\ y"]) | st.text(
    st.characters(codec="utf-8", exclude_characters="\n\\"), min_size=1, max_size=6
)


def _escaped(name: bytes, specials: bytes) -> bytes:
    return b"".join(b"\\" + bytes([b]) if b in specials else bytes([b]) for b in name)


NUMBERS = (
    st.floats(allow_nan=False, allow_infinity=False).map(lambda v: repr(v).encode())
    | st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-1000, max_value=1000).map(
        lambda v: str(v).encode()
    )
    | st.integers(-(2**63), 2**63 - 1).map(lambda v: b"%di" % v)
    | st.integers(0, 2**64 - 1).map(lambda v: b"%du" % v)
    | st.integers(-(10**20), 10**20).map(lambda v: b"%di" % v)
    | st.from_regex(rb"-?[0-9]{0,25}\.?[0-9]{0,25}([eE][+-]?[0-9]{1,4})?[iu]?", fullmatch=True)
    | st.sampled_from(
        [b"1e-400", b"-1e-400", b"1e400", b"0e999999999999999999999", b"4.9e-324", b"2.4e-324", b"1." + b"0" * 400]
    )
)
VALUES = (
    NUMBERS
    | st.sampled_from([b"t", b"FALSE", b"tRUE", b"", b'""', b'"abc"x', b'"a"b"c d"', b'"a\\', b"NaN"])
    | st.binary(max_size=8).map(lambda v: b'"' + v.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"')
)


@st.composite
def line(draw: Any) -> bytes:
    name = _escaped(draw(NAMES).encode(), b", ")
    tags = draw(st.lists(st.tuples(NAMES, NAMES), max_size=3))
    fields = draw(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=4))
    times = st.integers(-(2**63), 2**63).map(lambda v: b" %d" % v) | st.sampled_from(
        [b"", b" ", b" -", b" 1 2", b" 1700000000"]
    )
    head = b",".join([name, *(_escaped(k.encode(), b",= ") + b"=" + _escaped(v.encode(), b",= ") for k, v in tags)])
    body = b",".join(_escaped(k.encode(), b',= "') + b"=" + v for k, v in fields)
    return head + b" " + body + bytes(draw(times))


BODIES = st.lists(line(), max_size=6).map(b"\n".join)
PRECISIONS = st.sampled_from(Precision)


@settings(max_examples=400, deadline=None)
@given(SOUP, PRECISIONS)
def test_on_any_bytes(body: bytes, precision: Precision) -> None:
    assert_same(parse(body, precision=precision, now_ns=NOW), pure.parse(body, precision=precision, now_ns=NOW))


@settings(max_examples=250, deadline=None)
@given(BODIES, PRECISIONS)
def test_on_lines_of_the_grammar(body: bytes, precision: Precision) -> None:
    # Twice: the second time the fast way is open to whatever the first has made known.
    for text in (body, body + b"\n" + body):
        assert_same(parse(text, precision=precision, now_ns=NOW), pure.parse(text, precision=precision, now_ns=NOW))


@settings(max_examples=150, deadline=None)
@given(st.lists(BODIES, min_size=2, max_size=4), st.integers(1, 8))
def test_with_series_known_from_earlier_requests(bodies: list[bytes], series_max: int) -> None:
    memory = SeriesMemory(series_max)
    for body in (*bodies, b"\n".join(bodies), b"\n".join(reversed(bodies))):
        assert_same(
            parse(body, precision=Precision.NS, now_ns=NOW, memory=memory),
            pure.parse(body, precision=Precision.NS, now_ns=NOW),
        )


def _rows(batch: PointBatch) -> list[tuple[Any, ...]]:
    lines = [
        int(i) for m in batch.measurements for f in m.fields for i in m.line[f.valid if f.valid is not None else ...]
    ]
    found = [(line, *row[:-1], repr(row[-1])) for line, row in zip(lines, rows_of(batch), strict=True)]
    return sorted(found, key=lambda row: (row[0], row[2], row[3].value))


@settings(max_examples=250, deadline=None)
@given(st.lists(st.tuples(BODIES | SOUP, st.integers(0, 2**60)), max_size=5), PRECISIONS, st.integers(1, 8))
def test_bodies_together_say_what_each_says_alone(
    bodies: list[tuple[bytes, int]], precision: Precision, series_max: int
) -> None:
    memory = SeriesMemory(series_max)
    for given_bodies in (bodies, bodies + bodies):
        together = parse_together(given_bodies, precision=precision, memory=memory)
        expected: list[tuple[Any, ...]] = []
        first = 0
        for (body, now_ns), end in zip(given_bodies, together.ends, strict=True):
            alone = parse(body, precision=precision, now_ns=now_ns).batch
            expected += [(line + first, *rest) for line, *rest in _rows(alone)]
            assert end - first == alone.point_count
            first = end
        assert _rows(together.batch) == expected


def test_known_series_come_back_as_the_same_objects() -> None:
    memory = SeriesMemory()
    first, second = (
        parse(body, precision=Precision.NS, now_ns=NOW, memory=memory).batch.measurements[0].series
        for body in (b"m,a=1,b=2 v=1", b"m v=1\nm,b=2,a=1 v=1")
    )
    assert first[0] is second[1]
    assert len(memory) == 3


def test_a_memory_lets_go_of_what_it_held() -> None:
    memory = SeriesMemory(series_max=3_000)
    body = b"\n".join(b"m,t=first%d v=1" % i for i in range(3_000))
    (first,) = parse(body, precision=Precision.NS, now_ns=NOW, memory=memory).batch.measurements
    assert len(memory) == 3_000
    before = [sys.getrefcount(first.series[at]) for at in (0, -1)]
    for i in range(3):
        parse(b"m,t=later%d v=1" % i, precision=Precision.NS, now_ns=NOW, memory=memory)
    assert len(memory) == 3
    after = [sys.getrefcount(first.series[at]) for at in (0, -1)]
    assert after == [count - 1 for count in before]


def test_a_memory_is_bounded_in_bytes_too() -> None:
    memory = SeriesMemory(bytes_max=100_000)
    for i in range(100):
        parse(b"m,t=%d%s v=1" % (i, b"x" * 5_000), precision=Precision.NS, now_ns=NOW, memory=memory)
        assert len(memory) <= 10


@settings(max_examples=150, deadline=None)
@given(BODIES, SOUP)
def test_on_known_lines_with_a_flaw(body: bytes, flaw: bytes) -> None:
    text = body + b"\n" + body[: len(body) // 2] + flaw + body[len(body) // 2 :]
    assert_same(parse(text, precision=Precision.NS, now_ns=NOW), pure.parse(text, precision=Precision.NS, now_ns=NOW))


@settings(max_examples=400, deadline=None)
@given(NUMBERS)
def test_numbers_are_read_to_the_bit(number: bytes) -> None:
    # The last of four meets the fast way.
    text = b"m v=1,w=1i,x=1u\n" * 2 + b"m v=%s\n" % number * 2
    assert_same(parse(text, precision=Precision.NS, now_ns=NOW), pure.parse(text, precision=Precision.NS, now_ns=NOW))


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_ill_formed_text_becomes_what_python_makes_of_it(a: bytes, b: bytes) -> None:
    quoted = [v.replace(b"\\", b"\\\\").replace(b'"', b'\\"') for v in (a, b)]
    parsed = parse(b'm v="%s"\nm v="%s"' % tuple(quoted), precision=Precision.NS, now_ns=NOW)
    (column,) = parsed.batch.measurements[0].fields
    values: Any = column.values
    assert values.data == b"".join(v.decode("utf-8", "replace").encode() for v in (a, b))


def test_a_sparse_measurement_goes_on_in_parts() -> None:
    body = b"\n".join(b"m,t=%d f%d=1 %d" % (i % 3, i, i) for i in range(700))
    native = parse(body, precision=Precision.NS, now_ns=NOW)
    assert_same(native, pure.parse(body, precision=Precision.NS, now_ns=NOW))
    assert len(native.batch.measurements) > 1
    assert sum(len(m) * len(m.fields) for m in native.batch.measurements) < 200_000
    assert native.batch.point_count == 700


@pytest.mark.parametrize("parser", [parse, pure.parse])
def test_limits(parser: Any) -> None:
    limits = ParseLimits(line_bytes_max=20, errors_max=2, excerpt_bytes_max=4)
    parsed = parser(
        b"bad\n\nworse1\nworst\n" + b"m v=1 " + b" " * 20, precision=Precision.NS, now_ns=NOW, limits=limits
    )
    assert parsed.report == (
        "unable to parse 'bad': missing fields\nunable to parse 'wors…': missing fields\n"
        "and 2 more lines that cannot be parsed"
    )
    assert [e.line for e in parsed.errors] == [1, 3]
    (long,) = parser(b"m v=1 " + b" " * 20, precision=Precision.NS, now_ns=NOW, limits=limits).errors
    assert long.reason == "line is too long: 26 > 20"


@pytest.mark.parametrize("parser", [parse, pure.parse])
@pytest.mark.parametrize(("extra", "refused"), [(0, None), (1, "max key length exceeded: 65536 > 65535")])
def test_the_limit_of_a_key(parser: Any, extra: int, refused: str | None) -> None:
    body = b"m,t=" + b"x" * (65_535 - 4 - 4 - 1 + extra) + b" v=1"
    parsed = parser(b"m v=1\n" + body + b"\n" + body, precision=Precision.NS, now_ns=NOW)
    assert [e.reason for e in parsed.errors] == ([refused] * 2 if refused else [])


def test_times_without_a_timestamp_are_cut_to_the_precision() -> None:
    for precision in Precision:
        (m,) = parse(b"m v=1", precision=precision, now_ns=NOW).batch.measurements
        assert m.time.tolist() == [NOW - NOW % precision.value]


def test_threads_share_a_memory_that_forgets_meanwhile() -> None:
    memory = SeriesMemory(50)
    bodies = [
        b"\n".join(b'm%d,t=%d v=%d,s="x" %d' % (i % 3, i % 40, i, i) for i in range(n, n + 400)) for n in range(8)
    ]
    expected = [parse(body, precision=Precision.NS, now_ns=NOW) for body in bodies]

    def work(turn: int) -> list[Any]:
        return [
            (at % 8, parse(bodies[at % 8], precision=Precision.NS, now_ns=NOW, memory=memory))
            for at in range(turn, turn + 60)
        ]

    with ThreadPoolExecutor(4) as pool:
        for results in pool.map(work, range(4)):
            for at, parsed in results:
                assert_same(parsed, expected[at])
