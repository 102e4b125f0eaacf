"""The command line's shape: flags in every spelling, texts, exit codes; no server needed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

INFLUX = Path(sys.executable).with_name("influx")


def run(*args: str, home: Path, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), **env}
    return subprocess.run(
        [INFLUX, *args], capture_output=True, text=True, env=environment, stdin=subprocess.DEVNULL, check=False
    )


def test_help_goes_to_stdout(tmp_path: Path) -> None:
    for args in ((), ("help",), ("--help",), ("bucket",), ("bucket", "help"), ("bucket", "create", "-h")):
        done = run(*args, home=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("nope",), 'Error: unknown command "nope" for "influx"'),
        (("bucket", "nope"), 'Error: unknown command "nope" for "influx bucket"'),
        (("bucket", "create", "--name", "x", "stray"), 'Error: unknown command "stray" for "create"'),
        (("bucket", "create", "-nope"), "Error: flag provided but not defined: -nope"),
        (("bucket", "create", "--name"), "Error: flag needs an argument: -name"),
        (("bucket", "create"), 'Error: Required flag "name" not set'),
        (("v1", "dbrp", "create"), 'Error: Required flags "bucket-id, db, rp" not set'),
        (("config", "nope"), 'Error: config "nope" is not found'),
        (("config", "create", "-n", "list", "-u", "http://h"), '"list" is not a valid config name'),
        (("config", "create", "-n", "c", "-u", "h:1"), "a scheme of http or https must be provided for host url"),
        (("query", "a", "b"), "Error: at most 1 query string can be specified as an argument, got 2"),
        (("query",), "Error: no query provided"),
        (("backup",), "Error: backup path must be specified as a single positional argument"),
        (("restore", "nope"), 'Error: no backup manifests found at "nope"'),
        (("restore", "--full", "--org", "o", "x"), "--full restore cannot be limited to a single org or bucket"),
        (
            ("auth", "create", "--operator", "--read-buckets", "-o", "o"),
            "cannot compose other permissions with operator",
        ),
        (("write", "-b", "b", "-o", "o", "-f", "nofile"), 'failed to open "nofile": open nofile: no such file'),
        (("write", "-b", "b", "-o", "o", "--rate-limit", "zz", "m v=1"), 'invalid rate limit "zz"'),
        (("completion",), "Error: usage: influx completion [bash|zsh|powershell]"),
        (("ping", "--host", "http://127.0.0.1:9"), "dial tcp 127.0.0.1:9: connect: connection refused"),
        (("ping", "-c", "nope"), 'Error: config "nope" is not found'),
    ],
)
def test_refusals_are_one_line_and_exit_1(args: tuple[str, ...], error: str, tmp_path: Path) -> None:
    done = run(*args, home=tmp_path)
    assert done.returncode == 1
    assert error in done.stderr.strip().splitlines()[-1]


def test_a_token_that_begins_with_a_dash_is_a_value_and_is_not_repeated(tmp_path: Path) -> None:
    done = run("bucket", "list", "--host", "http://127.0.0.1:9", "-o", "o", "-t", "-abcsecret", home=tmp_path)
    assert done.returncode == 1
    assert "warning:" in done.stderr
    assert "abcsecret" not in done.stderr + done.stdout
    assert "connection refused" in done.stderr


def test_configs_are_created_listed_switched_and_never_show_tokens(tmp_path: Path) -> None:
    token = "a-secret-token-in-the-config"
    made = run("config", "create", "-n", "one", "-u", "http://h:1", "-t", token, "-o", "o", "-a", home=tmp_path)
    assert made.stdout == "Active\tName\tURL\t\tOrg\n*\tone\thttp://h:1\to\n"
    run("config", "create", "--config-name=two", "-host-url", "http://h:2", home=tmp_path)
    listed = run("config", "ls", home=tmp_path).stdout
    assert listed == "Active\tName\tURL\t\tOrg\n*\tone\thttp://h:1\to\n\ttwo\thttp://h:2\t\n"
    assert token not in listed
    assert run("config", "two", home=tmp_path).stdout.splitlines()[1].startswith("*\ttwo")
    assert run("config", "-", home=tmp_path).stdout.splitlines()[1].startswith("*\tone")
    assert "true" in run("config", "rm", "two", home=tmp_path).stdout
    assert run("config", home=tmp_path).stdout.splitlines()[1].startswith("*\tone")


def test_dryrun_prints_lines(tmp_path: Path) -> None:
    source = tmp_path / "data.csv"
    source.write_text("#datatype measurement,tag,double,dateTime:number\nm,host,v,t\ncpu,a b,1.5,10\n")
    done = run("write", "dryrun", "-b", "b", "-o", "o", "-f", str(source), home=tmp_path)
    assert done.stdout == "\ncpu,host=a\\ b v=1.5 10\n"


def test_a_bad_row_stops_unless_told_otherwise_and_is_counted(tmp_path: Path) -> None:
    source = tmp_path / "data.csv"
    errors = tmp_path / "errors"
    source.write_text("m|measurement,v|long\ncpu,zz\ncpu,2\n")
    stopped = run("write", "dryrun", "-f", str(source), home=tmp_path)
    assert stopped.returncode == 1
    assert "line 2: column 'v'" in stopped.stderr
    passed = run("write", "dryrun", "-f", str(source), "--skipRowOnError", "--errors-file", str(errors), home=tmp_path)
    assert passed.returncode == 0
    assert passed.stdout == "\ncpu v=2i\n"
    assert "1 rows were skipped" in passed.stderr
    assert "cpu,zz" in errors.read_text()


def test_the_help_of_a_command_that_is_a_group_too_names_it_once(tmp_path: Path) -> None:
    wrong = run("write", "-b", "b", "-p", "zz", "m v=1", home=tmp_path)
    assert wrong.stdout.splitlines()[2] == "Usage: influx write [OPTIONS] [LINE PROTOCOL | - | @FILE]"
    assert "--precision [ns|us|ms|s]" in wrong.stdout
    assert run("config", "-nope", home=tmp_path).stdout.splitlines()[2] == "Usage: influx config [OPTIONS] [NAME]"
    assert run("telegrafs", "-nope", home=tmp_path).stdout.splitlines()[2] == "Usage: influx telegrafs [OPTIONS]"


def test_completion_scripts_are_printed(tmp_path: Path) -> None:
    for shell in ("bash", "zsh", "powershell"):
        assert "influx" in run("completion", shell, home=tmp_path).stdout


def test_the_client_imports_nothing_heavy() -> None:
    code = (
        "import sys, fluxkeep.cli.influx, fluxkeep.cli.commands.query, fluxkeep.cli.commands.auth;"
        "heavy = {'polars','pyarrow','numpy','sqlalchemy','starlette','rich','alembic'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
