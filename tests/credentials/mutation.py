"""`make mutation`: change access and credentials in a copy, one small thing at a time, and judge what nobody noticed.

mutmut makes the changes and runs, for each, the tests that call what was changed. A change that no test notices must
stand in `survivors.txt` with a reason, and what stands there must still be true; anything else fails the run.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COPY = ROOT / ".make" / "mutation"
SURVIVORS = HERE / "survivors.txt"

# pytest's exit codes for a failing test and an error inside it; those of a time limit that was passed.
_FAILED = {1, 3}
_TOO_LONG = {24, -24, 36, 152, 255}
_NOTICED = _FAILED | _TOO_LONG


@dataclass(frozen=True)
class Mutant:
    """A change that nobody noticed: where, and what became of which line."""

    place: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.place} | {self.old} | {self.new}"


@dataclass(frozen=True)
class Explained:
    """A line of the list; without `new` it stands for every change of that line."""

    place: str
    old: str
    new: str | None

    def covers(self, mutant: Mutant) -> bool:
        return (self.place, self.old) == (mutant.place, mutant.old) and self.new in (None, mutant.new)

    def __str__(self) -> str:
        return " | ".join(filter(None, (self.place, self.old, self.new)))


def main(wanted: list[str], *, again: bool) -> int:
    """Run for the named modules, by default all; 1 if anything is unexplained or out of date.

    Args:
        wanted: Names of rooms, of modules, or both with a dot between.
        again: Go on with the last run's copy, with the tests as they are now: what was not noticed is tried once more.
    """
    modules = sorted(
        f"{room}.{file.stem}"
        for room in ("access", "credentials")
        for file in (ROOT / "src" / "fluxkeep" / room).glob("*.py")
        if file.stem != "__init__"
    )
    if wanted:
        modules = [
            one for one in modules if one in wanted or one.split(".")[1] in wanted or one.split(".")[0] in wanted
        ]
    if not modules:
        print(f"no such module: {', '.join(wanted)}")
        return 2
    if again:
        _copy_tests()
        for module in modules:
            _forget_survivors(module)
    else:
        _copy(modules)
    mutmut = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", "2"]
    # Every test makes a store of its own, and waiting for the disk would be most of the time. The folder is nobody
    # else's: another session of pytest would tidy up in it, and what fails for that would pass for a mutant noticed.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="fluxkeep-mutation-", dir=memory if memory.is_dir() else None) as folder:
        hook = {**os.environ, "PYTHONPATH": str(COPY / "hook"), "TMPDIR": folder}
        ran = subprocess.run(mutmut, cwd=COPY, env=hook, check=False)
    if ran.returncode:
        return ran.returncode
    return judge(modules)


def judge(modules: list[str]) -> int:
    """Compare what survived with the list."""
    survived = [mutant for module in modules for mutant in _survivors(module)]
    too_long = [mutant for module in modules for mutant in _mutants(module, lambda code: code in _TOO_LONG)]
    listed = [entry for entry in _listed() if ".".join(entry.place.split(".")[:2]) in modules]
    unexplained = [one for one in survived if not any(entry.covers(one) for entry in listed)]
    # What took too long may be endless or the machine be busy: it has not survived, and shows no reason out of date.
    stale = [entry for entry in listed if not any(entry.covers(one) for one in (*survived, *too_long))]
    for mutant in too_long:
        if not any(entry.covers(mutant) for entry in listed):
            print(f"took too long, and passes for noticed: {mutant}")
    for mutant in unexplained:
        print(f"nobody noticed: {mutant}")
    for entry in stale:
        print(f"no longer survives: {entry}")
    print(
        f"{len(survived)} survived, {len(unexplained)} of them without a reason; {len(stale)} reasons out of date; "
        f"{len(too_long)} took too long"
    )
    return 1 if unexplained or stale else 0


def _copy(modules: list[str]) -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    (COPY / "hook").mkdir(parents=True)
    shutil.copytree(ROOT / "src" / "fluxkeep", COPY / "src" / "fluxkeep", ignore=shutil.ignore_patterns("ui"))
    _copy_tests()
    # Hashing passwords at full cost would be most of the time.
    passwords = COPY / "src" / "fluxkeep" / "credentials" / "passwords.py"
    cheap = re.sub(r"(?m)^(_ARGON_MEMORY_KIB, _ARGON_PASSES) = .*$", r"\1 = 64, 1", passwords.read_text())
    passwords.write_text(cheap)
    # The editable installation's import hook would find the sources that are not mutated.
    (COPY / "hook" / "sitecustomize.py").write_text(
        "import sys\n"
        'sys.meta_path[:] = [one for one in sys.meta_path if not type(one).__module__.startswith("_editable")]\n'
        f'sys.path[:] = [one for one in sys.path if one != "{ROOT / "src"}"]\n'
    )
    config = (HERE / "mutation.toml").read_text()
    chosen = ", ".join(f'"src/fluxkeep/{module.replace(".", "/")}.py"' for module in modules)
    (COPY / "pyproject.toml").write_text(config.replace("only_mutate = []", f"only_mutate = [{chosen}]"))


def _copy_tests() -> None:
    for room in ("access", "credentials"):
        shutil.copytree(ROOT / "tests" / room, COPY / "tests" / room, dirs_exist_ok=True)


def _forget_survivors(module: str) -> None:
    """Have mutmut try again what no test noticed, or what took too long, which may have been the machine."""
    notes = COPY / "mutants" / f"src/fluxkeep/{module.replace('.', '/')}.py.meta"
    content = json.loads(notes.read_text())
    codes = content["exit_code_by_key"]
    content["exit_code_by_key"] = {name: code if code in _FAILED else None for name, code in codes.items()}
    notes.write_text(json.dumps(content))


def _survivors(module: str) -> list[Mutant]:
    """The mutants of a module that no test noticed."""
    return _mutants(module, lambda code: code not in _NOTICED)


def _mutants(module: str, wanted: Callable[[int | None], bool]) -> list[Mutant]:
    """The mutants of a module that ended in one of the wanted ways, from mutmut's notes."""
    sys.path.insert(0, str(COPY))
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    path = f"src/fluxkeep/{module.replace('.', '/')}.py"
    codes = json.loads((COPY / "mutants" / f"{path}.meta").read_text())["exit_code_by_key"]
    found = []
    here = Path.cwd()
    os.chdir(COPY)
    try:
        for name, code in codes.items():
            if not wanted(code):
                continue
            changed = get_diff_for_mutant(name, path=path).splitlines()[3:]
            old = " ".join(line[1:].strip() for line in changed if line.startswith("-"))
            new = " ".join(line[1:].strip() for line in changed if line.startswith("+"))
            found.append(Mutant(f"{module}.{_function(name)}", old, new))
    finally:
        os.chdir(here)
    return found


def _function(name: str) -> str:
    """`x_parse__mutmut_3` is `parse`, `xǁKeyRingǁload__mutmut_1` is `KeyRing.load`."""
    mangled = name.rpartition(".")[2].rpartition("__mutmut_")[0]
    return mangled[2:].replace("ǁ", ".") if "ǁ" in mangled else mangled.removeprefix("x_")


def _listed() -> list[Explained]:
    """The entries of the list; lines that begin with `#` are the reasons."""
    entries = []
    for line in SURVIVORS.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            place, old, *new = line.split(" | ")
            entries.append(Explained(place, old, new[0] if new else None))
    return entries


if __name__ == "__main__":
    sys.exit(main([one for one in sys.argv[1:] if one != "--again"], again="--again" in sys.argv))
