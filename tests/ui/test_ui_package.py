"""What the source archive carries: all that a build and the tests need, nothing that was built (ui.md §1)."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.ui.page import ROOT

pytestmark = pytest.mark.slow

NEEDED = {
    "PKG-INFO", "README.md", "CHANGELOG.md", "Makefile", "pyproject.toml", "hatch_build.py", "requirements/build.lock",
    "requirements/runtime.lock", "requirements/dev.lock", "native/CMakeLists.txt", "native/scanner.cpp",
    "src/fluxkeep/server.py", "src/fluxkeep/ui/serve.py", "ui/.npmrc", "ui/package.json", "ui/package-lock.json",
    "ui/build.mjs", "ui/index.html", "ui/favicon.svg", "ui/src/main.jsx", "ui/src/style.css", "ui/test/lib.test.mjs",
    "tests/ui/find.js", "tests/access/vectors.json", "docs/guides/ui.md", "docs/images/tokens.png",
    "benchmarks/__main__.py",
}  # fmt: skip
FOLDERS = {"benchmarks", "changelog.d", "docs", "native", "requirements", "src", "tests", "ui"}
FILES = {".gitignore", "CHANGELOG.md", "Makefile", "PKG-INFO", "README.md", "hatch_build.py", "pyproject.toml"}
BUILT = ("node_modules", "__pycache__", "dist", "build", ".venv", ".make", "data")
ENDINGS = (".so", ".pyc", ".whl", ".log", ".orig")


def test_the_source_archive_is_whole_and_holds_nothing_built(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert names >= NEEDED
    assert {name.partition("/")[0] for name in names if "/" in name} == FOLDERS
    assert {name for name in names if "/" not in name} <= FILES | {"LICENSE"}
    sources = {name for name in names if name.startswith("ui/")}
    on_disk = {p.relative_to(ROOT).as_posix() for p in (ROOT / "ui" / "src").rglob("*") if p.is_file()}
    assert on_disk <= sources
    # Recorded folders of the store are called `data`, as the one that a server is started with is.
    foreign = [
        name
        for name in names
        if name.endswith(ENDINGS) or (set(name.split("/")) & set(BUILT) and not name.startswith("tests/golden/"))
    ]
    assert foreign == []
