"""`influx write, query, delete, ping, server-config, v1 dbrp` and what all commands share; cli.md §1, §2."""

from __future__ import annotations

import gzip
import json
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from tests.blackbox.influx import ID, Influx, mask

pytestmark = pytest.mark.slow


def values(influx: Influx, measurement: str) -> list[str]:
    """Values of a measurement, oldest first."""
    raw = influx.ok(
        "query", "--raw",
        f'from(bucket: "climate") |> range(start: 0) |> filter(fn: (r) => r._measurement == "{measurement}") '
        '|> group() |> sort(columns: ["_time"]) |> keep(columns: ["_value"])',
    )  # fmt: skip
    return [line.split(",")[3] for line in raw.splitlines() if line.startswith(",,")]


def test_sources_are_written_in_their_order(influx: Influx, tmp_path: Path) -> None:
    (tmp_path / "one.lp").write_text("w1 v=1 1")
    (tmp_path / "two.lp.gz").write_bytes(gzip.compress(b"w1 v=2 2\n\n# comment\n"))
    files = ["-f", str(tmp_path / "one.lp")]
    assert influx.ok("write", "-b", "climate", *files, "w1 v=3 3") == ""
    influx.ok("write", "--bucket", "climate", "-f", str(tmp_path / "two.lp.gz"))
    influx.ok("write", "-b", "climate", "-", stdin="w1 v=4 4")
    influx.ok("write", "-b", "climate", "-p", "s", "@" + str(tmp_path / "one.lp"))
    influx.ok("write", "-b", "climate", stdin="w1 v=5 5", INFLUX_PRECISION="ms")
    assert values(influx, "w1") == ["1", "2", "3", "4", "5", "1"]
    ident = influx.object("bucket", "list", "-n", "climate")[0]["id"]
    influx.ok("write", "--bucket-id", ident, "--bucket", "nope", "w2 v=1 1")
    assert values(influx, "w2") == ["1"]


def test_a_url_is_a_source(influx: Influx) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/data"
            body = b"#constant measurement,w3\nv|long\n7\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/csv; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as pages:
        threading.Thread(target=pages.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{pages.server_port}"
        influx.ok("write", "-b", "climate", "-u", url + "/data")
        assert influx.fails("write", "-b", "climate", "-u", url + "/gone") == (
            f'Error: failed to open "{url}/gone": response status_code=404'
        )
        pages.shutdown()
    assert values(influx, "w3") == ["7"]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("-b", "nope", "m v=1"), 'failed to write data: 404 Not Found: bucket "nope" not found'),
        (("m v=1",), "must specify bucket ID or bucket name"),
        (("-b", "climate", "-f", "nofile"),
         'failed to open "nofile": open nofile: no such file or directory'),
        (("-b", "climate", "--encoding", "nope", "m v=1"), "ianaindex: invalid encoding name"),
        (("-b", "climate", "-p", "zz", "m v=1"), 'invalid value "zz" for flag -p: unsupported precision: "zz"'),
        (("-b", "climate", "--compression", "zz", "m v=1"),
         'invalid value "zz" for flag -compression: unsupported compression: "zz"'),
        (("-b", "climate", "--format", "zz", "m v=1"), 'invalid value "zz" for flag -format: unsupported format: "zz"'),
        (("-b", "climate", "--rate-limit", "zz", "m v=1"), ('invalid rate limit "zz": it does not match format '
         "COUNT(B|kB|MB)/TIME(s|sec|m|min) with / and TIME being optional")),
        (("-b", "climate", "--max-line-length", "4", "m v=1"), "failed to write data: batcher: line too long"),
    ],
)  # fmt: skip
def test_refusals_of_write(influx: Influx, args: tuple[str, ...], error: str) -> None:
    assert influx.fails("write", *args) == f"Error: {error}"


def test_a_refused_batch_ends_the_command(influx: Influx) -> None:
    refused = influx.fails("write", "-b", "climate", "w4 v=1 1\nnonsense")
    assert refused.startswith("Error: failed to write data: 400 Bad Request: ")
    assert values(influx, "w4") in ([], ["1"])
    done = influx("write", "-b", "climate", "--skipRowOnError", "w5 v=1 1\nnonsense\nw5 v=2 2")
    assert done.returncode == 0
    assert "1 rows were skipped" in done.stderr
    assert values(influx, "w5") == ["1", "2"]


def test_bad_rows_of_csv_stop_or_are_counted(influx: Influx, tmp_path: Path) -> None:
    source = tmp_path / "rows.csv"
    source.write_text("#constant measurement,w6\nv|long\n1\nzz\n3\n")
    stopped = influx("write", "-b", "climate", "-f", str(source))
    assert stopped.returncode == 1
    assert "line 4: column 'v': strconv.ParseInt: parsing \"zz\": invalid syntax" in stopped.stderr
    errors = tmp_path / "errors.csv"
    errors.write_text("kept\n")
    done = influx("write", "-b", "climate", "--skipRowOnError", "--errors-file", str(errors), "-f", str(source))
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "WARN: 1 rows were skipped because of errors"
    lines = errors.read_text().splitlines()
    assert lines[0] == "kept"
    assert lines[-2].startswith("\"# error : line 4: column 'v'") or lines[-2].startswith("# error : line 4")
    assert lines[-1] == "zz"


def test_dryrun_prints_lines(influx: Influx) -> None:
    assert influx.ok("write", "dryrun", "m v=1 1") == "\nm v=1 1\n"
    text = (
        "#constant measurement,cpu\n#constant tag,dc,eu\n#timezone +0100\n"
        "v|long:strict,t|dateTime:2006-01-02 15:04\n5,2020-01-01 12:00\n"
    )
    assert influx.ok("write", "dryrun", "--format", "csv", stdin=text) == "\ncpu,dc=eu v=5i 1577876400000000000\n"
    skipped = influx.ok("write", "dryrun", "--skipHeader", "1", "--header", "m|measurement,v|double", stdin="x\nm1,2\n")
    assert skipped == "\nm1 v=2\n"
    latin = influx("write", "dryrun", "--encoding", "nope", "m v=1")
    assert latin.stderr.startswith("Error: ianaindex: invalid encoding name")


def test_query_prints_tables(influx: Influx) -> None:
    influx.ok("write", "-b", "climate", 'q1,t=a v=1.5,s="x" 1700000000000000000\nq1,t=a v=2 1700000000000000001')
    query = 'from(bucket: "climate") |> range(start: 0, stop: 2030-01-01T00:00:00Z) |> filter(fn: (r) => r._field == '
    shown = influx.ok("query", query + '"v" and r._measurement == "q1")')
    columns = (
        ("_start:time", 30, "1970-01-01T00:00:00.000000000Z"), ("_stop:time", 30, "2030-01-01T00:00:00.000000000Z"),
        ("_field:string", 22, "v"), ("_measurement:string", 22, "q1"), ("t:string", 22, "a"),
    )  # fmt: skip
    rest = (("_time:time", 30), ("_value:float", 28))
    lines = shown.splitlines()
    assert lines[:2] == ["Result: _result", "Table: keys: [_start, _stop, _field, _measurement, t]"]
    assert lines[2] == "  ".join([n.rjust(w) for n, w, _ in columns] + [n.rjust(w) for n, w in rest])
    assert lines[3] == "  ".join(["-" * w for _, w, _ in columns] + ["-" * w for _, w in rest])
    for line, (time, value) in zip(lines[4:], (("0" * 9, "1.5"), ("0" * 8 + "1", "2")), strict=True):
        cells = [v.rjust(w) for _, w, v in columns] + [f"2023-11-14T22:13:20.{time}Z", value.rjust(28)]
        assert line == "  ".join(cells)
    raw = influx.ok("query", "--raw", "-", stdin=query + '"v" and r._measurement == "q1") |> keep(columns: ["_value"])')
    assert raw.replace("\r\n", "\n") == (
        "#group,false,false,false\n#datatype,string,long,double\n#default,_result,,\n"
        ",result,table,_value\n,,0,1.5\n,,0,2\n\n"
    )
    assert influx.ok("query", query + '"v" and r._measurement == "never")') == ""


def test_a_query_comes_from_a_file_too(influx: Influx, tmp_path: Path) -> None:
    path = tmp_path / "q.flux"
    path.write_text('buckets() |> keep(columns: ["name"]) |> filter(fn: (r) => r.name == "climate")')
    shown = influx.ok("query", "-f", str(path))
    assert shown == influx.ok("query", f"@{path}")
    assert "climate" in shown


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("nope",), "failed to execute query: 400 Bad Request: "),
        (("from(bucket: \"nope\") |> range(start: 0)",), "failed to execute query: 404 Not Found: "),
        (("",), "no query provided"),
        (("a", "b"), "at most 1 query string can be specified as an argument, got 2"),
        (("-f", "nofile"), 'failed to read query from "nofile": open nofile: no such file or directory'),
        (("-f", "nofile", "x"), "query can be specified as a CLI arg or passed in a file via flag, not both"),
    ],
)  # fmt: skip
def test_refusals_of_query(influx: Influx, args: tuple[str, ...], error: str) -> None:
    assert influx.fails("query", *args).startswith(f"Error: {error}")


def test_delete(influx: Influx) -> None:
    influx.ok("write", "-b", "climate", "d1,t=a v=1 1\nd1,t=b v=2 2")
    start, stop = ("--start", "1970-01-01T00:00:00Z"), ("--stop", "1970-01-02T00:00:00Z")
    assert influx.ok("delete", "-b", "climate", *start, *stop, "-p", '_measurement="d1" and t="a"') == ""
    assert values(influx, "d1") == ["2"]
    assert influx.fails("delete", "-b", "nope", *start, *stop) == (
        'Error: failed to delete data: 404 Not Found: bucket "nope" not found'
    )
    assert influx.fails("delete", "-b", "climate", "--start", "x", *stop).startswith(
        'Error: start time "x" cannot be parsed as RFC3339Nano: parsing time '
    )
    assert influx.fails("delete", "-b", "climate") == 'Error: Required flags "start, stop" not set'


def test_ping_and_version(influx: Influx) -> None:
    assert influx.ok("ping") == "OK\n"
    assert influx.ok("version").startswith("Influx CLI 2.8.0 (git: ")
    assert influx.fails("ping", "--token", "x") == "Error: flag provided but not defined: -token"
    assert influx.fails("ping", INFLUX_HOST="http://127.0.0.1:1") == (
        'Error: Get "http://127.0.0.1:1/health": dial tcp 127.0.0.1:1: connect: connection refused'
    )


def test_server_config_in_three_forms(influx: Influx) -> None:
    options = json.loads(influx.ok("server-config"))
    assert options["use-hashed-tokens"] is True
    assert len(options) >= 70
    assert yaml.safe_load(influx.ok("server-config", "--yaml")).keys() == options.keys()
    assert tomllib.loads(influx.ok("server-config", "--toml"))["http-bind-address"] == options["http-bind-address"]
    assert 'assets-path = ""' in influx.ok("server-config", "--toml")
    assert influx.fails("server-config", "-t", "wrong").startswith(
        "Error: failed to retrieve config: 401 Unauthorized: "
    )


def test_dbrp(influx: Influx) -> None:
    bucket = influx.object("bucket", "list", "-n", "climate")[0]["id"]
    columns = "ID\t\t\tDatabase\tBucket ID\t\tRetention Policy\tDefault\tOrganization ID\n"
    create = ("v1", "dbrp", "create", "--bucket-id", bucket, "--db", "db1", "--rp", "rp1")
    row = f"{ID}\tdb1\t\t{ID}\trp1\t\t\ttrue\t{ID}\n"
    assert influx.table(*create, "--default") == columns + row
    assert influx.fails(*create) == (
        f'Error: failed to create dbrp for bucket "{bucket}": 422 Unprocessable Entity: '
        "another DBRP mapping with same orgID, db, and rp exists"
    )
    listed = influx.table("v1", "dbrp", "list")
    physical, virtual = listed.split("\nVIRTUAL DBRP MAPPINGS (READ-ONLY)\n" + "-" * 34 + "\n")
    assert physical == columns + row
    assert virtual.splitlines()[0] + "\n" == columns or "climate" in virtual or "_monitoring" in virtual
    ident = next(d["id"] for d in influx.object("v1", "dbrp", "ls") if d["database"] == "db1")
    changed = mask(influx.ok("v1", "dbrp", "update", "--id", ident, "--rp", "rp2", "--hide-headers"))
    assert [cell for cell in changed.strip().split("\t") if cell] == [ID, "db1", ID, "rp2", "true", ID]
    gone = influx.table("v1", "dbrp", "delete", "--id", ident)
    assert gone == columns + row.replace("rp1", "rp2")
    assert influx.fails("v1", "dbrp", "delete", "--id", ident) == (
        f'Error: failed to find DBRP mapping "{ident}": 404 Not Found: unable to find DBRP'
    )
    assert influx.fails("v1", "dbrp", "create") == 'Error: Required flags "bucket-id, db, rp" not set'


@pytest.mark.parametrize(
    ("args", "out", "err"),
    [
        (("nope",), "", 'unknown command "nope" for "influx"'),
        (("bucket", "nope"), "", 'unknown command "nope" for "influx bucket"'),
        (("bucket", "create", "-n", "x", "word"), "", 'unknown command "word" for "create"'),
        (("bucket", "list", "--nope"), "Incorrect Usage: flag provided but not defined: -nope\n\n",
         "flag provided but not defined: -nope"),
        (("bucket", "list", "--name"), "Incorrect Usage: flag needs an argument: -name\n\n",
         "flag needs an argument: -name"),
        (("--token", "x", "bucket", "list"), "Incorrect Usage: flag provided but not defined: -token\n\n",
         "flag provided but not defined: -token"),
        (("backup", "--compression", "zz", "p"), ('Incorrect Usage: invalid value "zz" for flag -compression: '
         'unsupported format: "zz"\n\n'), 'invalid value "zz" for flag -compression: unsupported format: "zz"'),
    ],
)  # fmt: skip
def test_wrong_usage(influx: Influx, args: tuple[str, ...], out: str, err: str) -> None:
    done = influx(*args)
    assert done.returncode == 1
    assert done.stdout.startswith(out)
    assert bool(done.stdout) is bool(out)
    assert done.stderr == f"Error: {err}\n"


@pytest.mark.parametrize(
    "args", [(), ("help",), ("--help",), ("-h",), ("bucket",), ("bucket", "help"), ("bucket", "create", "--help")]
)
def test_help_is_printed_on_stdout(influx: Influx, args: tuple[str, ...]) -> None:
    done = influx(*args)
    assert done.returncode == 0
    assert "Usage: influx" in done.stdout
    assert done.stderr == ""


def test_common_flags(influx: Influx) -> None:
    url = influx.server.url
    assert influx.ok("bucket", "list", f"-host={url}", "-hide-headers=true", "-n", "climate").count("\n") == 1
    assert influx.ok("bucket", "list", "-n", "climate", INFLUX_HIDE_HEADERS="true").count("\n") == 1
    assert influx.ok("bucket", "list", "-n", "climate", "--hide-headers=false", "--json=false").startswith("ID\t")
    assert json.loads(influx.ok("org", "list", INFLUX_OUTPUT_JSON="1"))[0]["name"] == "home"
    debug = influx("bucket", "list", "--http-debug")
    assert "GET /api/v2/buckets" in debug.stderr
    assert "operator-token" not in debug.stderr
    assert influx.fails("bucket", "list", "--host", "nonsense").startswith("Error: failed to list buckets: host URL ")
    refused = influx.fails("bucket", "list", "--token", "wrong")
    assert refused == "Error: failed to list buckets: 401 Unauthorized: unauthorized access"
    assert "wrong" not in influx("bucket", "list", "--token=-wrong").stderr
    lost = influx.fails("bucket", "list", INFLUX_HOST="http://no-such-host.invalid:1")
    assert lost.startswith('Error: failed to list buckets: Get "http://no-such-host.invalid:1/api/v2/buckets?')
    assert lost.endswith("dial tcp: lookup no-such-host.invalid: no such host")


def test_completion(influx: Influx) -> None:
    for shell in ("bash", "zsh", "powershell"):
        assert "influx" in influx.ok("completion", shell)
    assert influx.fails("completion") == "Error: usage: influx completion [bash|zsh|powershell]"
    words = influx.ok("", _INFLUX_COMPLETE="bash_complete", COMP_WORDS="influx buc", COMP_CWORD="1")
    assert "bucket" in words


def test_profilers_that_did_not_run_are_told(influx: Influx) -> None:
    done = influx("query", "-p", "query,operator", "buckets() |> limit(n: 1)")
    assert (done.returncode, done.stderr) == (0, "WARN: the server has run the query without the profilers\n")
    assert done.stdout.startswith("Result: _result\n")
