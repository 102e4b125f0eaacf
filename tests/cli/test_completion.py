"""The scripts of shell completion, and the words that the commands give them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
SHELLS = ("bash", "zsh", "fish", "powershell")


def script(program: str, shell: str) -> str:
    done = subprocess.run([BIN / program, "completion", shell], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def words(program: str, typed: str, position: int) -> set[str]:
    """What is offered for the word at a position, as the scripts for bash and PowerShell ask."""
    asked = {f"_{program.upper()}_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(position)}
    done = subprocess.run([BIN / program], capture_output=True, text=True, check=False, env=os.environ | asked)
    assert (done.returncode, done.stderr) == (0, "")
    return {line.partition(",")[2] for line in done.stdout.splitlines() if line}


@pytest.mark.parametrize(
    ("typed", "position", "offered"),
    [
        ("influx bu", 1, {"bucket", "bucket-schema"}),
        ("influx bucket cr", 2, {"create"}),
        # A flag that must be given may still come.
        ("influx bucket create --na", 3, {"--name"}),
        ("influx bucket create --name x --org-", 5, {"--org-id"}),
        ("influx write dry", 2, {"dryrun"}),
        ("influx write --fi", 2, {"--file"}),
        ("influx telegrafs cr", 2, {"create"}),
        ("influx nope x", 2, set()),
        ("influxd insp", 1, {"inspect"}),
        ("influxd --log-", 1, {"--log-level"}),
        ("influxd run --log-", 2, {"--log-level"}),
        ("influxd inspect verify-w", 2, {"verify-wal"}),
        ("influxd recovery auth create", 3, {"create-operator"}),
    ],
)
def test_words_are_offered(typed: str, position: int, offered: set[str]) -> None:
    assert words(typed.split()[0], typed, position) == offered


@pytest.mark.parametrize("program", ["influx", "influxd"])
def test_bash_completes_with_the_script(program: str) -> None:
    typed = (program, "compl")
    run = (
        f"{script(program, 'bash')}\nCOMP_WORDS=({' '.join(typed)}); COMP_CWORD=1; COMP_LINE='{' '.join(typed)}'\n"
        f'_{program}_completion {program} compl {program}\necho "${{COMPREPLY[@]}}"'
    )
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "completion"


@pytest.mark.parametrize("program", ["influx", "influxd"])
@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_registers_the_program_and_asks_it(program: str, shell: str) -> None:
    text = script(program, shell)
    asks = {"bash": "bash_complete", "zsh": "zsh_complete", "fish": "fish_complete", "powershell": "bash_complete"}
    registers = {
        "bash": f"complete -o nosort -F _{program}_completion {program}",
        "zsh": f"#compdef {program}",
        "fish": f"complete --no-files --command {program} ",
        "powershell": f"Register-ArgumentCompleter -Native -CommandName {program} ",
    }
    assert registers[shell] in text
    assert f"_{program.upper()}_COMPLETE" in text
    assert asks[shell] in text
    # Every bracket that is opened is closed: the least that any of the shells asks for.
    for opening, closing in ("{}", "()", "[]"):
        in_patterns = text.count("*)") if closing == ")" else 0
        assert text.count(opening) == text.count(closing) - in_patterns


@pytest.mark.parametrize("program", ["influx", "influxd"])
@pytest.mark.parametrize("args", [[], ["tcsh"], ["bash", "zsh"]])
def test_other_shells_are_told_the_usage(program: str, args: list[str]) -> None:
    done = subprocess.run([BIN / program, "completion", *args], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: usage: {program} completion [bash|zsh|")
