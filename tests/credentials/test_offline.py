"""Tokens and the commands that work on a stopped server's records."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.credentials.dying import Moment, die_inside
from tests.credentials.house import House, found_in, secret

from fluxkeep.backup.store import remove_leftovers
from fluxkeep.cli.offline.downgrade import downgrade
from fluxkeep.credentials.services import CredentialOptions


def downgraded(folder: Path) -> str:
    result = CliRunner().invoke(
        downgrade, ["--bolt-path", str(folder / "influxd.bolt"), "--force", "2.7"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("tick", [20, 600, 800, 1_000, 6_000])
def test_a_downgrade_that_is_killed_leaves_no_copy_in_clear(tmp_path: Path, tick: int) -> None:
    house = House(tmp_path / "data", options=CredentialOptions(hashed=False))
    house.set_up()
    token = secret(house.mint())
    house.close()

    def work(arm):  # type: ignore[no-untyped-def]
        arm()
        return downgraded(house.folder)

    die_inside(work, house.folder / "influxd.bolt-wal", Moment("tick", tick))
    again = House(house.folder, house.clock)
    remove_leftovers(again.store.path)
    assert again.access(token).allows(again.read_bucket())
    assert found_in(again.folder, token.reveal()) == []
    again.close()
