"""The list of explained mutants, as far as it can be checked without a run of `make mutation`."""

from __future__ import annotations

from tests.credentials import mutation


def test_every_line_of_the_list_has_a_reason_and_stands_in_the_sources() -> None:
    reason = ""
    for line in mutation.SURVIVORS.read_text().splitlines():
        if line.startswith("#"):
            reason = line
        elif not line:
            reason = ""
        else:
            assert reason, line
            place, old, *new = line.split(" | ")
            module = place.split(".")[:2]
            source = mutation.ROOT.joinpath("src", "fluxkeep", *module).with_suffix(".py").read_text()
            assert old in " ".join(source.split()), line
            assert len(new) <= 1, line


def test_a_line_without_its_outcome_stands_for_every_change_of_it() -> None:
    mutant = mutation.Mutant("credentials.store.find", "return row", "return None")
    assert mutation.Explained(mutant.place, mutant.old, None).covers(mutant)
    assert mutation.Explained(mutant.place, mutant.old, mutant.new).covers(mutant)
    assert not mutation.Explained(mutant.place, mutant.old, "return 1").covers(mutant)
    assert not mutation.Explained("credentials.store.other", mutant.old, None).covers(mutant)
