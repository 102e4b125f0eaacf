"""The list of explained mutants, as far as it can be checked without a run of `make mutation`."""

from __future__ import annotations

import pytest
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


@pytest.mark.parametrize(
    ("code", "judged", "says"),
    [
        (0, 1, "nobody noticed: credentials.a.f | old | other\n2 survived, 1 of them without a reason; 0 reasons"),
        (1, 1, "no longer survives: credentials.a.f | old | new\n0 survived, 0 of them without a reason; 1 reasons"),
        (-24, 0, "took too long, and passes for noticed: credentials.a.f | old | other\n0 survived, 0 of them"),
    ],
)
def test_what_took_too_long_is_named_and_is_neither_a_survivor_nor_a_reason_gone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, judged: int, says: str
) -> None:
    explained, other = (mutation.Mutant("credentials.a.f", "old", new) for new in ("new", "other"))
    monkeypatch.setattr(mutation, "_mutants", lambda _, wanted: [explained, other] if wanted(code) else [])
    monkeypatch.setattr(mutation, "_listed", lambda: [mutation.Explained("credentials.a.f", "old", "new")])
    assert mutation.judge(["credentials.a"]) == judged
    assert capsys.readouterr().out.startswith(says)
