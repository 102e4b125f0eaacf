"""Encoding and parsing are inverse; what has no spelling is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.lineprotocol.same import assert_same_batch
from tests.lineprotocol.test_twins_properties import BODIES, SOUP

from fluxkeep.datamodel.point_rows import batch_of, point
from fluxkeep.errors import InvalidInput
from fluxkeep.instants import MAX_TIME_NS, MIN_TIME_NS, Precision
from fluxkeep.lineprotocol import encode, parse

TEXTS = st.text(max_size=8) | st.sampled_from(["a\\", "#c", "\\,", "\\\\ x", "\n", '"', "a\\\nb", " ", "\t", "time"])
FIELD_VALUES = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(0, 2**64 - 1).map(np.uint64)
    | st.text(max_size=8)
    | st.booleans()
)
POINTS = st.builds(
    point,
    TEXTS,
    st.dictionaries(TEXTS, TEXTS, max_size=2),
    st.dictionaries(TEXTS, FIELD_VALUES, min_size=1, max_size=3),
    st.integers(MIN_TIME_NS, MAX_TIME_NS),
)


def _parsed(body: bytes) -> Any:
    return parse(body, precision=Precision.NS, now_ns=0)


@settings(max_examples=200, deadline=None)
@given(BODIES | SOUP)
def test_what_was_parsed_is_encoded_and_parsed_to_the_same(body: bytes) -> None:
    batch = _parsed(body).batch
    # A name that begins with a tab or NUL cannot stand first among the fields, so it is refused.
    assume(not any(f.name.startswith(("\t", "\0")) for m in batch.measurements for f in m.fields))
    again = _parsed(encode(batch))
    assert again.error_count == 0
    assert_same_batch(again.batch, batch)


@settings(max_examples=200, deadline=None)
@given(st.lists(POINTS, min_size=1, max_size=4))
def test_points_from_elsewhere_keep_their_meaning_or_are_refused(points: list[Any]) -> None:
    batch = batch_of(points)
    try:
        text = encode(batch)
    except InvalidInput:
        return
    again = _parsed(text)
    assert again.error_count == 0
    assert_same_batch(again.batch, batch)


@pytest.mark.parametrize(
    ("measurement", "tags", "fields"),
    [
        ("m\\", {}, {"v": 1.0}),
        ("#m", {}, {"v": 1.0}),
        ("m\nn", {}, {"v": 1.0}),
        ("", {}, {"v": 1.0}),
        ("m", {"t": "a\\"}, {"v": 1.0}),
        ("m", {"time": "a"}, {"v": 1.0}),
        ("m", {}, {"v\\": 1.0}),
        ("m", {}, {"": 1.0}),
        ("m", {}, {"v": float("nan")}),
        ("m", {}, {"v": float("-inf")}),
    ],
)
def test_what_has_no_spelling_is_refused(measurement: str, tags: dict[str, str], fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        encode(batch_of([point(measurement, tags, fields, 0)]))


def test_the_lines_come_in_the_order_of_the_points() -> None:
    batch = batch_of(
        [point("b", {}, {"v": 1}, 3), point("a", {"t": "x y"}, {"v": True}, 1), point("b", {}, {"s": 'q"\\'}, 2)]
    )
    assert encode(batch) == b'b v=1i 3\na,t=x\\ y v=True 1\nb s="q\\"\\\\" 2\n'
