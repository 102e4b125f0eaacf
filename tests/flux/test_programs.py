"""Checked programs are remembered by their text, within a bound, and faults are not."""

from __future__ import annotations

import pytest

from fluxkeep.errors import InvalidInput
from fluxkeep.flux.programs import Programs


def test_the_same_text_is_read_once() -> None:
    programs = Programs()
    assert programs.checked("x = 1") is programs.checked("x = 1")
    assert programs.checked("x = 1") is not programs.checked("x = 2")


def test_a_faulty_text_is_refused_every_time_and_not_kept() -> None:
    programs = Programs()
    for _ in range(2):
        with pytest.raises(InvalidInput, match="undefined identifier y"):
            programs.checked("x = y")
    assert len(programs) == 0


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    programs = Programs(chars_max=160)
    texts = [f"x{i:04} = {i}" for i in range(17)]
    assert {len(text) for text in texts} == {9, 10}
    kept = programs.checked(texts[0])
    for text in texts[1:]:
        programs.checked(text)
        assert programs.checked(texts[0]) is kept
    assert 0 < len(programs) <= 160 // 9
    again = programs.checked(texts[1])
    assert programs.checked(texts[1]) is again


def test_long_texts_are_not_kept() -> None:
    programs = Programs(chars_max=160)
    programs.checked("x = 12345678")
    assert len(programs) == 0
