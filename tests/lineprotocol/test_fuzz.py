"""A short run of the fuzzer with a fixed seed; longer ones are run by hand."""

from __future__ import annotations

from tests.fuzz.lineprotocol import run


def test_mutated_bodies_are_read_alike() -> None:
    assert run(1_500, seed=1) is None
