"""Operators on values."""

from __future__ import annotations

import math

import pytest

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.interpreter.operators import binary, negate
from fluxkeep.flux.interpreter.values import Null, Regexp, Time, UInt, Value, kind_of
from fluxkeep.instants import Duration

MAX = (1 << 63) - 1


@pytest.mark.parametrize(
    ("operator", "left", "right", "value"),
    [
        ("+", 1, 2, 3),
        ("+", MAX, 1, -MAX - 1),
        ("-", UInt(0), UInt(1), UInt((1 << 64) - 1)),
        ("/", -7, 2, -3),
        ("%", -7, 2, -1),
        ("/", 1.0, 0.0, math.inf),
        ("%", -7.5, 2.0, -1.5),
        ("^", 2, 10, 1024.0),
        ("+", "a", "b", "ab"),
        ("==", 1, 1.0, True),
        ("<", -1, UInt(0), True),
        ("<", "a", "b", True),
        ("==", {"a": 1}, {"a": 1}, True),
        ("!=", [1, 2], [1, 3], True),
        ("=~", "alpha", Regexp("^al"), True),
        ("!~", "alpha", Regexp("^al"), False),
        (">", Time(2), Time(1), True),
    ],
)
def test_values(operator: str, left: Value, right: Value, value: Value) -> None:
    found = binary(operator, left, right)
    assert found == value
    assert kind_of(found) == kind_of(value)


@pytest.mark.parametrize("operator", ["+", "-", "*", "/", "%", "==", "<", "!="])
def test_null_with_anything_is_null(operator: str) -> None:
    assert isinstance(binary(operator, Null("int"), 1), Null)
    assert isinstance(binary(operator, 1, Null("int")), Null)
    assert isinstance(binary(operator, Null(), Null()), Null)


@pytest.mark.parametrize(
    ("operator", "left", "right", "message"),
    [
        ("/", 1, 0, "cannot divide by zero"),
        ("%", 1, 0, "cannot mod zero"),
        ("+", 1, 1.0, "type conflict: int != float"),
        ("==", 1, "a", "unsupported binary expression int == string"),
        ("==", Duration(0, 1), Duration(0, 1), "unsupported binary expression duration == duration"),
        ("-", "a", "b", "unsupported binary expression string - string"),
    ],
)
def test_refusals(operator: str, left: Value, right: Value, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        binary(operator, left, right)
    assert caught.value.message == message


def test_negation() -> None:
    assert negate(5) == -5
    assert negate(Duration(1, 2)) == Duration(-1, -2)
    assert isinstance(negate(Null("int")), Null)
    with pytest.raises(InvalidInput, match="unsupported unary expression -string"):
        negate("a")
