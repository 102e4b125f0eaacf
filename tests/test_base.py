"""Ids, instants, secrets: the small values that everything is built of."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxkeep.clock import ManualClock
from fluxkeep.errors import InvalidInput
from fluxkeep.ids import BucketID, IdGenerator, OrgID, UserID
from fluxkeep.instants import (
    MAX_TIME_NS,
    MIN_TIME_NS,
    Duration,
    add_months,
    format_go_duration,
    format_rfc3339,
    parse_rfc3339,
)
from fluxkeep.logs import Seldom
from fluxkeep.secret import Secret


def test_ids_are_read_in_either_case_and_refused_with_the_references_texts() -> None:
    assert OrgID.parse("0A1B2C3D4E5F6071") == "0a1b2c3d4e5f6071"
    with pytest.raises(InvalidInput, match="id must have a length of 16 bytes"):
        OrgID.parse("abc")
    for bad in ("0" * 16, "g" * 16):
        with pytest.raises(InvalidInput, match="invalid ID"):
            OrgID.parse(bad)


def test_time_ordered_ids_ascend_even_when_the_clock_stands_still_or_steps_back() -> None:
    clock = ManualClock()
    ids = IdGenerator(clock, machine=5)
    made = [ids.next(UserID) for _ in range(5000)]
    clock.advance(seconds=-10)
    made += [ids.next(UserID) for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_random_ids_avoid_the_separators_of_old_tools() -> None:
    ids = IdGenerator(ManualClock())
    made = {ids.random(BucketID) for _ in range(2000)}
    assert len(made) == 2000
    assert not any(part in bytes.fromhex(i) for i in made for part in (b",", b"\\", b" "))


@given(st.integers(MIN_TIME_NS, MAX_TIME_NS))
def test_instants_survive_rfc3339(ns: int) -> None:
    assert parse_rfc3339(format_rfc3339(ns)) == ns


def test_offsets_fractions_and_refusals() -> None:
    assert parse_rfc3339("2024-01-01T02:00:00.5+02:00") == parse_rfc3339("2024-01-01T00:00:00.5Z")
    for bad in ("2024-01-01", "2024-13-01T00:00:00Z", "2024-01-01T25:00:00Z", "2024-01-01T00:00:00"):
        with pytest.raises(ValueError):
            parse_rfc3339(bad)


@given(st.integers(0, 1000), st.integers(0, 10**18))
def test_durations_survive_their_text(months: int, ns: int) -> None:
    duration = Duration(months, ns)
    assert Duration.parse(str(duration)) == duration
    if not duration.is_zero:
        assert Duration.parse(str(-duration)) == -duration


def test_months_end_on_the_last_day_there_is() -> None:
    assert format_rfc3339(add_months(parse_rfc3339("2024-01-31T12:00:00Z"), 1)) == "2024-02-29T12:00:00Z"
    assert format_rfc3339(add_months(parse_rfc3339("2024-03-31T00:00:00Z"), -13)) == "2023-02-28T00:00:00Z"


def test_go_durations() -> None:
    assert format_go_duration(3_723_400_000_000) == "1h2m3.4s"
    assert format_go_duration(1_500_000) == "1.5ms"
    assert format_go_duration(3_600_000_000_000) == "1h0m0s"
    assert format_go_duration(0) == "0s"


def test_a_secret_shows_itself_nowhere() -> None:
    secret = Secret("my-very-secret-token")
    assert "very" not in f"{secret} {secret!r} {[secret]} {secret:>40}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        copy.copy(secret)
    with pytest.raises(TypeError):
        hash(secret)
    assert secret == Secret("my-very-secret-token")
    assert secret != Secret("another")
    assert secret.reveal() == "my-very-secret-token"


def test_of_events_of_a_kind_one_in_a_while_is_told_and_the_rest_counted() -> None:
    now = [0.0]
    seldom = Seldom(10, lambda: now[0])
    assert [seldom.held_back("a"), seldom.held_back("a"), seldom.held_back("b"), seldom.held_back("a")] == [
        0,
        None,
        0,
        None,
    ]
    now[0] = 10.0
    assert (seldom.held_back("a"), seldom.held_back("a")) == (2, None)
