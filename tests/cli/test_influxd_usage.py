"""How `influxd` answers words and flags that it does not know; cli.md §5.1."""

from __future__ import annotations

import pytest
import yaml

from fluxkeep.cli.influxd import main

HINT = "See 'influxd -h' for help"


def said(capsys: pytest.CaptureFixture[str], *args: str) -> list[str]:
    """The lines on standard error of a command that fails with exit status 1."""
    with pytest.raises(SystemExit) as ended:
        main(args)
    assert ended.value.code == 1
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("nope",), 'unknown command "nope" for "influxd"'),
        (("inspect", "nope"), 'unknown command "nope" for "influxd inspect"'),
        (("recovery", "auth", "nope"), 'unknown command "nope" for "influxd recovery auth"'),
        (("--nope",), "unknown flag: --nope"),
        (("-n",), "unknown shorthand flag: 'n' in -n"),
        (("recovery", "user", "list", "--nope"), "unknown flag: --nope"),
        (("recovery", "user", "list", "-n"), "unknown shorthand flag: 'n' in -n"),
        (("recovery", "user", "list", "--bolt-path"), "flag needs an argument: --bolt-path"),
        (("recovery", "user", "list", "x"), 'unknown command "x" for "influxd recovery user list"'),
        (("inspect", "export-lp", "--bucket-id", "0a"), 'required flag(s) "output-path" not set'),
        (("inspect", "export-lp", "--start=x"), 'required flag(s) "bucket-id", "output-path" not set'),
        (("--log-level", "zz"), ('invalid argument "zz" for "--log-level" flag: unknown log level; '
         "supported levels are debug, info, warn, error")),
    ],
)  # fmt: skip
def test_refusals_are_a_line_and_a_hint(capsys: pytest.CaptureFixture[str], args: tuple[str, ...], error: str) -> None:
    assert said(capsys, *args) == [f"Error: {error}", HINT]


def test_print_config_tells_durations_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    main(["print-config", "--http-read-timeout", "90s"])
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["http-idle-timeout"] == "3m0s"
    assert shown["http-read-timeout"] == "1m30s"
    assert shown["vault-client-timeout"] == "0s"
    assert list(shown) == sorted(shown)
    main(["print-config", "--key-name", "http-idle-timeout"])
    assert capsys.readouterr().out == "3m0s\n"
