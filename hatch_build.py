"""Build hook: refuses early and clearly when there is no C++ compiler.

The native line-protocol scanner is compiled by scikit-build-core; without a
compiler CMake fails with pages of output, so the check comes first. The web
page is bundled here as well once its sources exist.
"""

import os
import shutil
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FluxkeepBuildHook(BuildHookInterface[Any]):
    """Checks the machine before anything is built."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the interface's
        """Stop the build when no C++ compiler is found.

        Raises:
            SystemExit: No compiler; the message says what to install.
        """
        if not (os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++") or shutil.which("c++")):
            raise SystemExit(
                "fluxkeep needs a C++17 compiler to build its line-protocol scanner and found none.\n"
                "Install one (Debian: apt-get install g++) or name it in the environment variable CXX."
            )
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
