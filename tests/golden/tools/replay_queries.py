#!/usr/bin/env python3
"""Replay recorded Flux and InfluxQL cases against a server and count those that hold. Standard library only.

    replay_queries.py --url http://127.0.0.1:8086 --token T --org O [-v] [--loose] FILE_OR_FOLDER ...
    replay_queries.py --start "influxd run --http-bind-address 127.0.0.1:{port} --engine-path {dir}/engine ..." FILES

The first form uses a running server: TOKEN must be allowed to create buckets and mappings in ORG. The second starts
a fresh one in a temporary folder, sets it up and ends it afterwards. Either way every data set is loaded first, as
`setup.json` in `--data DIR` (default `../data`) says; loading twice does no harm. `--only TEXT` runs the cases
whose name contains it.

A case file is plain text. A case begins with `## name`; options follow as `> key: value`; then one or more steps: the
query between fences (```flux or ```influxql), a line with the status and the media type of the answer, and the answer
between fences (CRLF as LF; a final line break is added where the answer has none). Options:

    > data: cpu sensors       the data sets that the case reads (all are loaded anyway)
    > scratch: cpu            bucket `scratch` is made anew before the case and filled with this set (`empty`: with nothing)
    > request: {...}          Flux: members of the JSON request besides `query`; `> raw` sends the text as application/vnd.flux
    > params: epoch=s&db=cpu  InfluxQL: parameters of GET /query besides `q`; `> method: POST` sends them as a form
    > accept: text/csv        InfluxQL: the Accept header
    > unordered: tables rows columns   what of these has no fixed order in the reference and is not compared

What is compared: status, media type, annotated CSV as tables (types, group, defaults, columns, result names, rows in
order), JSON by value; floats within 1e-9 relative; errors by code and message exactly, save for layers that name a
library's own source (`error calling function "f" @package/file.flux|L:C-L:C: `). A result `to7` counts as `_result`.
A failing case is named with its kind: `message` (only an error's text differs), `order` (the same tables, columns or
rows in another order; `--loose` lets these pass), `answer` (everything else). `-v` adds a diff. The last line is
`N passed, M failed`; the exit status is 0 only when nothing failed.
"""
from __future__ import annotations

import argparse, contextlib, csv, difflib, http.client, io, json, math, os, pathlib, re, shlex, shutil, socket, subprocess, sys, tempfile, time
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode, urlsplit

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
DIALECT = {"annotations": ["datatype", "group", "default"], "header": True, "delimiter": ","}
STEP = re.compile(r"^```(flux|influxql)\n(.*?)\n```\n(\d+) ?([^\n]*)\n```\w+\n(.*?)^```$", re.M | re.S)
WORDING = re.compile(r'"(error|message)": ?"(\\.|[^"\\])*"')
TO = re.compile(r"^(#default,|,)(?:wide-)?to\d+,", re.M)
LIBRARY = re.compile(r'error calling function \\?"\w+\\?" @[^ |]+\.flux\|[-\d:]+: ')


@dataclass
class Step:
    language: str
    query: str
    status: int = 0
    media: str = ""
    body: str = ""


@dataclass
class Case:
    name: str
    options: dict[str, str]
    steps: list[Step]


def parse(text: str) -> list[Case]:
    """The cases of one file."""
    cases = []
    for block in re.split(r"^## ", text, flags=re.M)[1:]:
        name, _, rest = block.partition("\n")
        options = re.findall(r"^> (\w+):? ?(.*)$", rest.partition("```")[0], re.M)
        cases.append(Case(name, dict(options), [Step(lang, query, int(status), media, body) for lang, query, status, media, body in STEP.findall(rest)]))
    return cases


class Client:
    """HTTP to one server, in one organization."""

    def __init__(self, url: str, token: str, org: str):
        self.at, self.token, self.org = urlsplit(url), token, org

    def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str, bytes]:
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **headers}
        c = http.client.HTTPConnection(self.at.hostname, self.at.port, timeout=60)
        if self.token:
            headers["Authorization"] = f"Token {self.token}"
        try:
            c.request(method, self.at.path.rstrip("/") + path, body.encode() if isinstance(body, str) else body, headers)
            r = c.getresponse()
            return r.status, (r.getheader("Content-Type") or "").split(";")[0].strip(), r.read()
        finally:
            c.close()

    def need(self, method: str, path: str, body: object = None, **headers: str) -> dict:
        status, _, got = self.call(method, path, body, **headers)
        if status >= 300:
            raise RuntimeError(f"{method} {path} answered {status}: {got[:200]!r}")
        return json.loads(got or b"{}")

    def bucket(self, name: str, anew: bool = False) -> str:
        """The id of the bucket, made where it is missing."""
        status, _, got = self.call("GET", "/api/v2/buckets?" + urlencode({"org": self.org, "name": name}))
        for b in json.loads(got).get("buckets", []) if status == 200 else []:
            if not anew:
                return b["id"]
            self.call("DELETE", "/api/v2/buckets/" + b["id"])
        return self.need("POST", "/api/v2/buckets", {"orgID": self.org_id, "name": name, "retentionRules": []})["id"]

    def load(self, bucket: str, file: pathlib.Path) -> None:
        path = "/api/v2/write?" + urlencode({"org": self.org, "bucket": bucket, "precision": "ns"})
        self.need("POST", path, file.read_bytes(), **{"Content-Type": "text/plain; charset=utf-8"})

    def prepare(self, data: pathlib.Path) -> None:
        """Buckets, points and mappings of `setup.json`."""
        plan = json.loads((data / "setup.json").read_text())
        self.org_id = self.need("GET", "/api/v2/orgs?" + urlencode({"org": self.org}))["orgs"][0]["id"]
        ids = {name: self.bucket(name) for name in plan["buckets"]}
        for name in filter(plan["buckets"].get, plan["buckets"]):
            try:
                self.load(name, data / plan["buckets"][name])
            except RuntimeError as e:
                print("not loaded:", e)
        for m in plan["mappings"]:  # one that exists is refused, which does no harm
            self.call("POST", "/api/v2/dbrps", {"orgID": self.org_id, "bucketID": ids[m["bucket"]], "database": m["database"],
                                                "retention_policy": m["policy"], "default": m["default"]})

    def ask(self, case: Case, step: Step) -> Step:
        o, path = case.options, "/api/v2/query?" + urlencode({"org": self.org})
        form = urlencode(parse_qsl(o.get("params", ""), keep_blank_values=True) + [("q", step.query)])
        headers = {"Accept": o["accept"]} if "accept" in o else {}
        if step.language == "flux" and "raw" in o:
            status, media, raw = self.call("POST", path, step.query, **{"Content-Type": "application/vnd.flux"})
        elif step.language == "flux":
            status, media, raw = self.call("POST", path, {"query": step.query, "type": "flux", "dialect": DIALECT, **json.loads(o.get("request", "{}"))})
        elif o.get("method") == "POST":
            status, media, raw = self.call("POST", "/query", form, **{"Content-Type": "application/x-www-form-urlencoded", **headers})
        else:
            status, media, raw = self.call("GET", "/query?" + form, **headers)
        body = raw.hex() if "msgpack" in media else raw.decode("utf-8", "replace").replace("\r\n", "\n")
        return Step(step.language, step.query, status, media, body if body.endswith("\n") or not body else body + "\n")


def tables(text: str, delimiter: str = ",") -> list[dict]:
    """Annotated CSV as a list of tables in order; a block without a `table` column is one table."""
    out: list[dict] = []
    notes, header = {}, None
    for row in csv.reader(io.StringIO(text), delimiter=delimiter):
        note = "".join(row[:1]).startswith("#")
        if row in ([], [""]) or (note and header is not None):
            notes, header = {}, None
        if note:
            notes[row[0]] = row[1:]
        elif row not in ([], [""]) and header is None:
            header = row[1:]
            keys = [header.index(k) for k in ("result", "table") if k in header]
            out.append({"notes": notes, "columns": header, "at": None, "rows": []})
        elif row not in ([], [""]):
            at = [row[k + 1] for k in keys if k + 1 < len(row)]
            if out[-1]["at"] not in (None, at):
                out.append({"notes": notes, "columns": header, "rows": []})
            out[-1]["at"] = at
            out[-1]["rows"].append(row[1:])
    return out


def near(a: object, b: object, free: bool = False) -> bool:
    """Equal JSON values; numbers within 1e-9 relative unless both are whole; `free`: `values` in any order."""
    if type(a) is type(b) is dict:
        return a.keys() == b.keys() and all(matches(a[k], b[k], near) if free and k == "values" else near(a[k], b[k], free) for k in a)
    if type(a) is type(b) is list:
        return len(a) == len(b) and all(near(x, y, free) for x, y in zip(a, b))
    floats = float in (type(a), type(b)) and {type(a), type(b)} <= {int, float}
    return math.isclose(a, b, rel_tol=1e-9) if floats else type(a) is type(b) and a == b


def cell(a: str, b: str, kind: str = "") -> bool:
    whole = not kind and a.lstrip("-").isdigit() and b.lstrip("-").isdigit()
    with contextlib.suppress(ValueError):
        return a == b or (kind in ("", "double") and not whole and math.isclose(float(a), float(b), rel_tol=1e-9))
    return False


def same_table(a: dict, b: dict, numbered: bool, rows_free: bool, columns_free: bool) -> bool:
    """Whether two tables hold the same; `numbered` compares their numbers too."""
    def lines(t: dict) -> tuple[list, list]:
        at = [i for i, c in enumerate(t["columns"]) if numbered or c != "table"]
        at = sorted(at, key=lambda i: t["columns"][i]) if columns_free else at
        pick = lambda row: [row[i] if i < len(row) else "" for i in at] + [len(row) - len(t["columns"])]
        return [pick(t["columns"]), *([k, *pick(v)] for k, v in sorted(t["notes"].items()))], [pick(r) for r in t["rows"]]

    (head, rows), (other, others) = lines(a), lines(b)
    kinds = next((h[1:] for h in head[1:] if h[0] == "#datatype"), [""] * len(head[0]))
    same = lambda x, y: len(x) == len(y) and x[-1] == y[-1] and all(map(cell, x[:-1], y[:-1], kinds))
    return head == other and (matches(rows, others, same) if rows_free else len(rows) == len(others) and all(map(same, rows, others)))


def matches(xs: list, ys: list, same) -> bool:
    """Whether the two lists hold the same items in any order."""
    rest = list(ys)
    for x in xs:
        if (i := next((i for i, y in enumerate(rest) if same(x, y)), -1)) < 0:
            return False
        del rest[i]
    return not rest


def compare(case: Case, want: Step, got: Step) -> str | None:
    """None where the answer holds, else the kind of difference."""
    want, got = (replace(s, body=LIBRARY.sub("", TO.sub(r"\1_result,", s.body))) for s in (want, got))
    free = [k in case.options.get("unordered", "") for k in ("tables", "rows", "columns")]
    if (want.status, want.media) != (got.status, got.media) or want.body == got.body:
        return None if want == got else "answer"
    if "json" in want.media:
        def alike(words: str) -> bool:  # chunked answers are one document a line
            return near(*([json.loads(d) for d in WORDING.sub(words, s.body).split("\n") if d.strip()] for s in (want, got)), free[1])
        return None if alike(r"\g<0>") else "message" if alike('"error":""') else "answer"
    if want.language == "influxql" or "csv" not in want.media:
        a, b = (list(csv.reader(io.StringIO(s.body))) for s in (want, got))
        row = lambda x, y: len(x) == len(y) and all(map(cell, x, y))
        return None if matches(a, b, row) and (free[1] or all(map(row, a, b))) else "answer"
    dialect = json.loads(case.options.get("request", "{}")).get("dialect", DIALECT)
    a, b = (tables(s.body, dialect.get("delimiter", ",")) for s in (want, got))

    def alike(tables_free: bool, rows_free: bool, columns_free: bool) -> bool:
        same = lambda x, y: same_table(x, y, not tables_free, rows_free, columns_free)
        return matches(a, b, same) if tables_free else len(a) == len(b) and all(map(same, a, b))

    if alike(*free) or alike(True, True, True):
        return None if alike(*free) else "order"
    a, b = ([{**t, "rows": []} if t["columns"] == ["error", "reference"] else t for t in x] for x in (a, b))
    return "message" if alike(*free) else "answer"


def run_case(client: Client, case: Case, data: pathlib.Path) -> list[Step]:
    if "scratch" in case.options:
        client.bucket("scratch", anew=True)
    if case.options.get("scratch", "empty") != "empty":
        client.load("scratch", data / (case.options["scratch"] + ".lp"))
    return [client.ask(case, s) for s in case.steps]


def start(template: str) -> tuple[subprocess.Popen, Client, str]:
    """A fresh server, set up; the caller ends it."""
    folder = tempfile.mkdtemp(prefix="replay-")
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    argv = [a.replace("{port}", str(port)).replace("{dir}", folder) for a in shlex.split(template)]
    log = pathlib.Path(folder, "server.log")
    process = subprocess.Popen(argv, stdout=log.open("wb"), stderr=subprocess.STDOUT, env={**os.environ, "HOME": folder})
    client = Client(f"http://127.0.0.1:{port}", "", "golden")
    while process.poll() is None:
        with contextlib.suppress(OSError):
            if client.call("GET", "/health")[0] == 200:
                break
        time.sleep(0.1)
    else:
        raise RuntimeError("the server ended at its start: " + log.read_text()[-500:])
    user = {"username": "golden", "password": "golden-password", "org": "golden", "bucket": "first", "token": "golden-token"}
    client.token = client.need("POST", "/api/v2/setup", user)["auth"]["token"]
    return process, client, folder


def stop(process: subprocess.Popen, folder: str) -> None:
    process.terminate()
    process.wait(30)
    shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("files", nargs="+", type=pathlib.Path)
    for name, default in {"--url": "http://127.0.0.1:8086", "--token": "", "--org": "", "--start": "", "--data": DATA, "--only": ""}.items():
        p.add_argument(name, default=default, type=type(default) if default is not DATA else pathlib.Path)
    p.add_argument("-v", action="store_true"), p.add_argument("--loose", action="store_true")
    a = p.parse_args()
    process, client, folder = start(a.start) if a.start else (None, Client(a.url, a.token, a.org), "")
    passed, kinds = 0, {}
    try:
        client.prepare(a.data)
        for file in [f for x in a.files for f in (sorted(x.rglob("*.txt")) if x.is_dir() else [x])]:
            for case in (c for c in parse(file.read_text(encoding="utf-8")) if a.only in c.name):
                try:
                    got = []
                    got = run_case(client, case, a.data)
                    kind = next((k for k in (compare(case, w, g) for w, g in zip(case.steps, got)) if k), None)
                except (OSError, ValueError, RuntimeError, http.client.HTTPException) as e:
                    kind = f"no-answer ({e})"
                if kind is None or (kind == "order" and a.loose):
                    passed += 1
                    continue
                kinds[kind.split()[0]] = kinds.get(kind.split()[0], 0) + 1
                print(f"{file.parent.name}/{file.stem}: {case.name}: {kind}")
                for pair in zip(case.steps, got) if a.v else ():
                    texts = [f"{s.status} {s.media}\n{s.body}".splitlines() for s in pair]
                    print("".join(f"    {d}\n" for d in difflib.unified_diff(*texts, "recorded", "served", lineterm="", n=1)), end="")
    finally:
        if process:
            stop(process, folder)
    print("failures by kind:", ", ".join(f"{k} {n}" for k, n in sorted(kinds.items())) or "none")
    print(f"{passed} passed, {sum(kinds.values())} failed")
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
