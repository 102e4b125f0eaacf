"""The requests that the stock `influx` (Go) sends for setup, buckets, tokens, writes, queries, backup and restore.

It is not at hand here, so they are made by hand as cli.md and http-api.md §26 have them: its headers, packed and
chunked bodies, its order.
"""

from __future__ import annotations

import email.parser
import email.policy
import gzip
import http.client
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.blackbox.process import Answer, Server

pytestmark = pytest.mark.slow

AGENT = "influx/2.8.0 (linux) Sha/af1b6d4 Date/2026-01-01T00:00:00Z"


class Stock:
    """Sends what the stock client would."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.token = ""

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        packed: bytes | None = None,
        **headers: str,
    ) -> Answer:
        """An answer, unpacked as Go's transport does; `packed` is sent as gzip in chunks."""
        sent = {"User-Agent": AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent["Authorization"] = f"Token {self.token}"
        content: Any = None
        if packed is not None:
            sent |= {"Content-Encoding": "gzip", "Content-Type": "application/octet-stream"}
            content = iter([packed[at : at + 1000] for at in range(0, len(packed), 1000)])
        elif body is not None:
            sent["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            connection.request(method, path, content, sent)
            got = connection.getresponse()
            answer = Answer(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        finally:
            connection.close()
        if answer.headers.get("content-encoding") == "gzip":
            answer = Answer(answer.status, answer.headers, gzip.decompress(answer.body))
        return answer

    def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = self.send(method, path, body, **more)
        assert answer.status < 300, answer.text
        return json.loads(answer.body) if answer.body else None

    def setup(self, user: str = "admin") -> None:
        assert self.ok("GET", "/api/v2/setup")["allowed"] is True
        made = self.ok(
            "POST",
            "/api/v2/setup",
            {"username": user, "password": "correct-horse", "org": "home", "bucket": "climate"}
            | {"retentionPeriodSeconds": 0, "retentionPeriodHrs": 0},
        )
        assert {"auth", "bucket", "org", "user"} <= made.keys()
        self.token = made["auth"]["token"]

    def rows(self, script: str) -> list[list[str]]:
        """Of the answer to a query."""
        dialect = {"annotations": ["group", "datatype", "default"], "delimiter": ",", "header": True}
        answer = self.send("POST", "/api/v2/query?org=home", {"query": script, "type": "flux", "dialect": dialect})
        assert answer.status == 200, answer.text
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        lines = [line.split(",") for line in answer.text.split("\r\n") if line]
        assert [line[0] for line in lines[:4]] == ["#group", "#datatype", "#default", ""]
        return lines[4:]

    def count(self, bucket: str = "climate") -> int:
        rows = self.rows(f'from(bucket: "{bucket}") |> range(start: 0) |> group() |> count()')
        return int(rows[0][-1])


@pytest.fixture
def stock(server: Server) -> Stock:
    made = Stock(server)
    made.setup()
    return made


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Stock]:
    server = Server(tmp_path / "other")
    server.start()
    try:
        made = Stock(server)
        made.setup("somebody")
        yield made
    finally:
        server.kill()


def write(stock: Stock) -> None:
    lines = "".join(f"m,host=h{i % 7} v={i} {1_700_000_000 + i * 3600}\n" for i in range(400))
    answer = stock.send(
        "POST", "/api/v2/write?bucket=climate&org=home&precision=s", packed=gzip.compress(lines.encode()),
        Content_Type="text/plain; charset=utf-8",
    )  # fmt: skip
    assert (answer.status, answer.body) == (204, b"")


def test_every_answer_says_what_server_it_is(stock: Stock) -> None:
    health = stock.send("GET", "/health")
    # The client looks for 2.0 here, which spoke another protocol of restoring.
    assert re.match(r"v?2\.[1-9]", health.json["version"])
    assert health.json["status"] == "pass"
    for path in ("/health", "/api/v2/setup", "/api/v2/buckets"):
        headers = stock.send("GET", path).headers
        assert headers["x-influxdb-build"] == "OSS"
        assert re.fullmatch(r"v2\.9\.\d+", headers["x-influxdb-version"])


def test_buckets_tokens_writes_and_queries(stock: Stock) -> None:
    org = stock.ok("GET", "/api/v2/orgs?org=home")["orgs"][0]["id"]
    made = stock.ok(
        "POST",
        "/api/v2/buckets",
        {
            "orgID": org,
            "name": "b2",
            "schemaType": "implicit",
            "retentionRules": [{"type": "expire", "everySeconds": 0}],
        },
    )
    pages = stock.ok("GET", "/api/v2/buckets?limit=20&offset=0&org=home")["buckets"]
    assert {"b2", "climate", "_monitoring", "_tasks"} == {bucket["name"] for bucket in pages}
    user = stock.ok("GET", "/api/v2/users")["users"][0]
    assert stock.ok("GET", "/api/v2/resources")
    token = stock.ok(
        "POST",
        "/api/v2/authorizations",
        {
            "orgID": org,
            "userID": user["id"],
            "description": "d",
            "permissions": [{"action": "read", "resource": {"type": "buckets", "id": made["id"], "orgID": org}}],
        },
    )
    assert token["token"]
    listed = stock.ok("GET", "/api/v2/authorizations")["authorizations"]
    assert token["id"] in {one["id"] for one in listed}
    assert stock.ok("GET", f"/api/v2/users/{user['id']}")["name"] == "admin"
    write(stock)
    assert stock.count() == 400
    refused = stock.send("POST", "/api/v2/query?org=home", {"query": "from(", "type": "flux"})
    assert refused.status == 400
    assert refused.json["message"].startswith("compilation failed: ")


class Kept:
    """What the client keeps of a backup, packed."""

    def __init__(self, stock: Stock, level: str = "default") -> None:
        answer = stock.send("GET", "/api/v2/backup/metadata", Gzip_Compression_Level=level)
        assert answer.status == 200, answer.text
        assert re.fullmatch(r"multipart/mixed; boundary=[0-9a-f]{60}", answer.headers["content-type"])
        head = b"Content-Type: " + answer.headers["content-type"].encode() + b"\r\n\r\n"
        message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + answer.body)
        parts: list[tuple[str, str, bytes]] = []
        for part in message.iter_parts():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            assert part.get_content_disposition() == "attachment"
            name = str(part.get_param("name", header="content-disposition"))
            parts.append((name, part.get_content_type(), content))
        assert [part[:2] for part in parts] == [
            ("kv", "application/octet-stream"),
            ("sql", "application/octet-stream"),
            ("buckets", "application/json"),
        ]
        self.kv, self.sql = (gzip.compress(part[2]) for part in parts[:2])
        self.buckets = json.loads(parts[2][2])
        self.shards: dict[int, bytes] = {}
        for bucket in self.buckets:
            assert {
                "organizationID",
                "organizationName",
                "bucketID",
                "bucketName",
                "retentionPolicies",
            } <= bucket.keys()
            for policy in bucket["retentionPolicies"]:
                assert (policy["name"], policy["replicaN"], policy["subscriptions"]) == ("autogen", 1, [])
                for group in policy["shardGroups"]:
                    assert group.keys() == {"id", "startTime", "endTime", "shards"}
                    for shard in group["shards"]:
                        got = stock.send("GET", f"/api/v2/backup/shards/{shard['id']}", Gzip_Compression_Level=level)
                        assert got.headers["content-type"] == "application/octet-stream"
                        self.shards[shard["id"]] = gzip.compress(got.body)
        assert self.shards


@pytest.mark.parametrize("level", ["default", "full", "speedy", "none"])
def test_a_bucket_comes_back_under_another_name(stock: Stock, level: str) -> None:
    write(stock)
    kept = Kept(stock, level)
    assert stock.send("GET", "/api/v2/backup/shards/999").status == 404
    entry = next(bucket for bucket in kept.buckets if bucket["bucketName"] == "climate")
    org = stock.ok("GET", "/api/v2/orgs?org=home")["orgs"][0]["id"]
    assert stock.send("GET", "/api/v2/orgs?org=nobody").status == 404
    taken = stock.send("POST", "/api/v2/restore/bucketMetadata", {**entry, "organizationID": org})
    assert (taken.status, taken.json["message"]) == (422, "bucket with name climate already exists")
    made = stock.ok("POST", "/api/v2/restore/bucketMetadata", {**entry, "organizationID": org, "bucketName": "again"})
    assert made["name"] == "again"
    assert len(made["shardMappings"]) == sum(len(p["shardGroups"]) for p in entry["retentionPolicies"])
    for mapping in made["shardMappings"]:
        sent = stock.send("POST", f"/api/v2/restore/shards/{mapping['newId']}", packed=kept.shards[mapping["oldId"]])
        assert (sent.status, sent.body) == (200, b"")
    assert stock.count("again") == stock.count() == 400


def test_a_full_restore_step_by_step_with_kills_between_the_steps(stock: Stock, other: Stock) -> None:
    write(stock)
    kept = Kept(stock)
    assert other.ok("POST", "/api/v2/restore/kv", packed=kept.kv) == {"token": ""}
    # Nothing but the backup's token is good for anything now; a kill here loses nothing of it.
    other.server.kill()
    other.server.start()
    assert other.send("POST", "/api/v2/restore/sql", packed=kept.sql).status == 401
    other.token = stock.token
    sql = other.send("POST", "/api/v2/restore/sql", packed=kept.sql)
    assert (sql.status, sql.body) == (200, b"")
    first, *rest = kept.shards
    assert other.send("POST", f"/api/v2/restore/shards/{first}", packed=kept.shards[first]).status == 200
    other.server.kill()
    other.server.start()
    for identifier in (first, *rest):
        # The first comes a second time, as it does when somebody begins anew.
        assert other.send("POST", f"/api/v2/restore/shards/{identifier}", packed=kept.shards[identifier]).status == 200
    assert other.count() == stock.count() == 400
    other.server.kill()
    other.server.start()
    assert other.count() == 400


def test_uploads_that_are_cut_off_or_no_gzip_replace_nothing(stock: Stock) -> None:
    write(stock)
    kept = Kept(stock)
    first = min(kept.shards)
    for path, packed in (("kv", kept.kv), (f"shards/{first}", kept.shards[first])):
        cut = stock.send("POST", f"/api/v2/restore/{path}", packed=packed[: len(packed) // 2])
        assert (cut.status, cut.json["message"]) == (400, "failed to decode gzip request body: unexpected EOF")
        plain = stock.send("POST", f"/api/v2/restore/{path}", packed=b"this was never packed")
        assert (plain.status, plain.json["message"]) == (
            400,
            "failed to decode gzip request body: gzip: invalid header",
        )
        assert stock.send("POST", f"/api/v2/restore/{path}", packed=gzip.compress(b"")).status == 400
    assert stock.count() == 400
