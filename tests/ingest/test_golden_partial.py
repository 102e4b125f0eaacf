"""What storage refuses of a write, in the recorded words, and what of the write is kept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.ingest.conftest import BUCKET, OPERATOR, House

from fluxkeep.errors import FluxkeepError
from fluxkeep.ids import BucketID
from fluxkeep.ingest import Writing
from fluxkeep.instants import HOUR, Precision
from fluxkeep.tenancy.values import Bucket

GOLDEN = Path(__file__).parents[1] / "golden" / "http" / "write-partial.jsonl"
EXCHANGES = [json.loads(line) for line in GOLDEN.read_text("utf-8").splitlines()[1:]]
SHORT = Bucket(
    id=BucketID("00000000000000c2"), org_id=BUCKET.org_id, name="short", retention_ns=HOUR, created_at=0, updated_at=0
)


def _expected(response: dict[str, Any]) -> str:
    """A pattern for the answer, `code: message`."""
    if response["status"] == 204:
        return "stored"
    code, message = str(response["json"]["code"]), str(response["json"]["message"])
    if message == "<string>":
        return re.escape(code) + ": .+"
    if message.startswith("<re:"):
        # The names in a pattern of the recording are literals.
        pattern = message[4:-1].replace("${SH}", SHORT.id)
    else:
        pattern = re.escape(message.replace("${BKT}", BUCKET.id))
    return re.escape(code) + ": " + pattern


def test_the_whole_recording_in_order(house: House) -> None:
    writes = [e for e in EXCHANGES if e["request"]["path"].startswith("/api/v2/write")]
    assert len(writes) == 27
    for exchange in writes:
        request = exchange["request"]
        bucket = SHORT if "bucket=short" in request["path"] else BUCKET
        try:
            house.ingest.write(Writing(OPERATOR, bucket, request["text"].encode(), Precision.NS))
        except FluxkeepError as error:
            got = f"{error.code}: {error.message}"
        else:
            got = "stored"
        assert re.fullmatch(_expected(exchange["response"]), got, re.DOTALL), exchange["name"]
    assert [(field, time, value) for m, _, field, time, value in house.rows() if m == "a"] == [
        ("v", 1700000000000000000, 1),
        ("v", 1700000000000000005, 2),
        ("v", 1700000000000000007, 3),
        ("v", 1700000000000000009, 5),
        ("v", 1700000000000000012, 6),
        ("w", 1700000000000000005, 1),
    ]
    assert [(field, time, value) for m, _, field, time, value in house.rows() if m == "d"] == [
        ("v", 1700000000000000000, 2),
        ("v", 1700000000000000001, 3),
    ]
    assert len(house.rows(SHORT.id)) == 2
