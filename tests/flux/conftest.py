"""What the Flux tests share: the recorded queries and their answers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "flux"
_STEP = re.compile(r"^```flux\n(.*?)\n```\n(\d+) ?[^\n]*\n```\w+\n(.*?)^```$", re.M | re.S)


@pytest.fixture(scope="session")
def recorded_queries() -> list[tuple[str, str, int, str]]:
    """Every recorded query: name of file and case, text, status, message of an error or an empty text."""
    found = []
    for path in sorted(GOLDEN.glob("*.txt")):
        for block in re.split(r"^## ", path.read_text(), flags=re.M)[1:]:
            name, _, rest = block.partition("\n")
            for query, status, body in _STEP.findall(rest):
                message = json.loads(body)["message"] if int(status) >= 400 else ""
                found.append((f"{path.stem}: {name}", query, int(status), message))
    return found
