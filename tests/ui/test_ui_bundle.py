"""What the bundle weighs and carries, and the page's own unit tests under Node (ui.md §1; §14, unit)."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from pathlib import Path

import pytest
from tests.ui.page import ROOT

DIST = ROOT / "src" / "fluxkeep" / "ui" / "dist"
SHELL_BYTES_MAX = 40 * 1024
STYLE_BYTES_MAX = 8 * 1024
IMPORT = re.compile(r"""\b(?:from|import)\s*["']\./([\w.-]+\.js)["']""")


def _packed(files: set[str]) -> int:
    return sum(len(gzip.compress((DIST / "assets" / name).read_bytes(), 9)) for name in files)


def _reached(name: str) -> set[str]:
    """A script and all that it imports at once; what it imports later is not among them."""
    seen: set[str] = set()
    todo = [name]
    while todo:
        if (one := todo.pop()) not in seen:
            seen.add(one)
            todo += IMPORT.findall((DIST / "assets" / one).read_text())
    return seen


def test_the_shell_with_the_page_of_tokens_is_small() -> None:
    page = (DIST / "index.html").read_text()
    (app,) = re.findall(r"/assets/(app-\w+\.js)", page)
    (style,) = re.findall(r"/assets/(style-\w+\.css)", page)
    scripts = _reached(app)
    assert len(scripts) > 1, "the bundle is split"
    assert not any(name.startswith("Plot") for name in scripts)
    assert _packed(scripts) <= SHELL_BYTES_MAX
    assert _packed({style}) <= STYLE_BYTES_MAX


def test_scripts_and_styles_lie_packed_beside_themselves() -> None:
    for file in [*DIST.glob("assets/*.js"), *DIST.glob("assets/*.css")]:
        assert gzip.decompress(Path(f"{file}.gz").read_bytes()) == file.read_bytes()


def test_the_licences_of_what_is_bundled_go_along() -> None:
    told = (DIST / "LICENCES.txt").read_text()
    for name in json.loads((ROOT / "ui" / "package.json").read_text())["dependencies"]:
        assert re.search(rf"^{name} \S+ \(MIT\)$", told, re.MULTILINE), name


def test_the_page_has_nothing_inline_and_names_no_other_host() -> None:
    page = (DIST / "index.html").read_text()
    assert not re.search(r"<style|\bstyle=|\bon\w+=|<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"https?:", page)


def test_the_lock_file_holds_hashes_and_no_addresses() -> None:
    packages = json.loads((ROOT / "ui" / "package-lock.json").read_text())["packages"]
    for name, entry in packages.items():
        if name:
            assert entry["integrity"].startswith("sha512-"), name
            assert "resolved" not in entry, name


@pytest.mark.slow
def test_the_units_of_the_page(node: list[str]) -> None:
    files = sorted(str(file) for file in (ROOT / "ui" / "test").glob("*.test.mjs"))
    assert files
    done = subprocess.run([*node, "--test", *files], cwd=ROOT / "ui", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    told = re.search(r"^\W* ?pass (\d+)$", done.stdout, re.MULTILINE)
    assert told, done.stdout[-500:]
    assert int(told[1]) > 10
