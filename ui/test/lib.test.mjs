import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { ApiError, basic, classify, createApi } from "../src/lib/api.js";
import { parseReport, partialReport } from "../src/lib/buckets.js";
import { pointsOf } from "../src/lib/lines.js";
import { fluxString, influxqlIdentifier, parse, Tables } from "../src/lib/csv.js";
import { allAccessSet, allows, isGone, kindOf, operatorSet, spell, summary } from "../src/lib/perms.js";
import { match, safeNext, withQuery } from "../src/lib/router.js";
import { commandOf, filterRows, rowsOf } from "../src/lib/tokens.js";
import { boundsOf, duration, parseDuration, relative, typedDuration } from "../src/lib/time.js";

const vectors = JSON.parse(readFileSync(new URL("../../tests/access/vectors.json", import.meta.url)));

test("permissions match as the server's engine does", () => {
  assert.ok(vectors.cases.length > 40);
  for (const { held, wanted, allowed, why } of vectors.cases) {
    assert.equal(allows(held, wanted), allowed, `${why}: ${held.map(spell)} / ${spell(wanted)}`);
  }
});

test("the standard sets have 44 and 43 entries, and are recognised", () => {
  assert.equal(operatorSet().length, 44);
  const all = allAccessSet("000000000000000a", "000000000000000b");
  assert.equal(all.length, 43);
  assert.ok(!all.some((p) => p.resource.type === "instance"));
  assert.equal(kindOf(operatorSet(), "x", "y"), "Operator");
  assert.equal(kindOf(all, "000000000000000a", "000000000000000b"), "All Access");
  assert.equal(kindOf([{ action: "read", resource: { type: "buckets", id: "1" } }], "x", "y"), "Read/Write");
  assert.equal(kindOf(all, "000000000000000a", "000000000000000c"), "Custom");
});

test("summaries are short", () => {
  const on = (action, name) => ({ action, resource: { type: "buckets", id: `id${name}`, orgID: "o", name } });
  const chips = summary([on("read", "a"), on("write", "a"), on("read", "b"), on("read", "c"), on("read", "d")]);
  assert.deepEqual(chips, [{ text: "RW a" }, { text: "R 3 buckets", title: "R b, R c, R d" }]);
  const types = ["tasks", "labels", "secrets", "views"].map((type) => ({ action: "read", resource: { type, orgID: "o" } }));
  assert.deepEqual(summary([...types, on("write", "a")]).map((c) => c.text), ["R all tasks", "R all labels", "R all secrets", "+2"]);
  const narrow = summary([on("read", "raw-ingest"), on("write", "building-a"), ...types], 3, "", 16);
  assert.deepEqual(narrow.map((c) => c.text), ["R raw-ingest", "+5"]);
  assert.deepEqual(summary([on("read", "a-bucket-with-a-long-name")], 3, "", 16).map((c) => c.text), ["R a-bucket-with-a-long-name"]);
  const gone = summary([{ action: "read", resource: { type: "buckets", id: "0b00000000000001", orgID: "o" } }]);
  assert.equal(gone[0].text, "R deleted bucket 0b00…01");
});

test("failures are classified", () => {
  assert.equal(classify(401, "unauthorized access"), "session");
  assert.equal(classify(401, "write:orgs/1/buckets is unauthorized"), "permission");
  assert.equal(classify(401, "unauthorized access", "missing-permission"), "permission");
  assert.equal(classify(403, "User is inactive"), "inactive");
  assert.equal(classify(403, "insufficient permissions for write"), "forbidden");
  assert.equal(classify(404, ""), "gone");
  assert.equal(classify(422, ""), "invalid");
  assert.equal(classify(429, ""), "busy");
  assert.equal(classify(500, ""), "down");
});

test("Basic is UTF-8", () => {
  assert.equal(basic("jörg", "p€ss"), `Basic ${Buffer.from("jörg:p€ss").toString("base64")}`);
});

const answer = (status, body, headers = {}) => new Response(body == null ? null : JSON.stringify(body), { status, headers });

test("a GET is repeated once after a new session, a POST never", async () => {
  const sent = [];
  const replies = [answer(401, { code: "unauthorized", message: "unauthorized access" }), answer(200, { ok: 1 })];
  const api = createApi({ fetch: async (path, o) => (sent.push(o.method), replies.shift()), onSession: async () => true });
  assert.deepEqual(await api.get("/x"), { ok: 1 });
  replies.push(answer(401, { code: "unauthorized", message: "unauthorized access" }));
  await assert.rejects(api.post("/x", {}), (e) => e instanceof ApiError && e.kind === "session");
  assert.deepEqual(sent, ["GET", "GET", "POST"]);
});

test("a busy server is asked again when it says, and secrets never come through lists", async () => {
  const slept = [];
  const replies = [
    answer(503, { code: "unavailable", message: "busy" }, { "Retry-After": "3" }),
    answer(200, { authorizations: [{ id: "1", token: "plain" }] }),
  ];
  const api = createApi({ fetch: async () => replies.shift(), sleep: async (ms) => slept.push(ms) });
  assert.deepEqual(await api.tokens(), [{ id: "1", token: "" }]);
  assert.deepEqual(slept, [3000]);
});

const ANSWER =
  "#group,false,false,true,false,false\r\n#datatype,string,long,string,double,long\r\n#default,_result,,,,\r\n" +
  ",result,table,host,_value,n\r\n,,0,\"a,\"\"b\"\"\r\nc\",1.5,9007199254740993\r\n,,0,x,,2\r\n,,1,y,+Inf,3\r\n\r\n" +
  "#group,false,false,true\r\n#datatype,string,long,string\r\n#default,other,0,z\r\n,result,table,host\r\n\r\n";

test("annotated CSV: quotes, defaults, empty tables, several results", () => {
  const tables = parse(ANSWER);
  assert.equal(tables.length, 3);
  assert.deepEqual(tables[0].columns.map((c) => [c.label, c.type, c.group]), [
    ["host", "string", true], ["_value", "double", false], ["n", "long", false],
  ]);
  assert.deepEqual(tables[0].rows, [['a,"b"\r\nc'.replace("\r\n", "\r\n"), 1.5, "9007199254740993"], ["x", null, 2]].map((r) => r));
  assert.deepEqual(tables[1].rows, [["y", Infinity, 3]]);
  assert.deepEqual([tables[2].result, tables[2].rows], ["other", []]);
});

test("annotated CSV may be cut at every byte", () => {
  const whole = JSON.stringify(parse(ANSWER));
  for (let at = 0; at <= ANSWER.length; at += 1) {
    const tables = new Tables();
    tables.push(ANSWER.slice(0, at));
    tables.push(ANSWER.slice(at));
    assert.equal(JSON.stringify(tables.end()), whole, `cut at ${at}`);
  }
});

test("an error table is an error, and what came before is kept", () => {
  const tables = new Tables();
  const broken = `${ANSWER}#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,it broke,\r\n`;
  assert.throws(() => { tables.push(broken); tables.end(); }, /it broke/);
  assert.equal(tables.tables.length, 3);
});

test("literals are escaped", () => {
  assert.equal(fluxString('a"b\\c${d}'), '"a\\"b\\\\c\\${d}"');
  assert.equal(influxqlIdentifier('a"b\\'), '"a\\"b\\\\"');
});

test("routes, and where a sign-in may lead", () => {
  assert.deepEqual(match("/orgs/0a/load-data/tokens/"), { name: "tokens", params: { orgID: "0a" } });
  assert.equal(match("/orgs//members"), null);
  assert.equal(match("/nope"), null);
  assert.equal(safeNext("/orgs/0a/members?q=x"), "/orgs/0a/members?q=x");
  for (const bad of ["//evil.example", "/\\evil", "https://evil.example", "/nope", "/signin", "javascript:x", undefined, "/\n/x"]) {
    assert.equal(safeNext(bad), "/", String(bad));
  }
  assert.equal(withQuery("/a", { q: "x y", s: "" }), "/a?q=x+y");
});

test("times and durations", () => {
  assert.equal(duration(0), "Forever");
  assert.equal(duration(7 * 86400 + 5400), "7 d 1 h 30 m");
  assert.equal(parseDuration("1h 30m"), 5400);
  assert.equal(typedDuration(129_600), "1d12h");
  for (const seconds of [3600, 90_061, 604_800, 31_536_000]) assert.equal(parseDuration(typedDuration(seconds)), seconds);
  assert.deepEqual(boundsOf([10, 20, 40]), [10, 40]);
  assert.deepEqual(boundsOf([10]), [-20, 40]);
  assert.equal(parseDuration("x"), null);
  assert.equal(relative("2026-01-01T00:00:00Z", Date.parse("2026-01-01T00:03:10Z")), "3 min. ago");
  assert.equal(relative("2026-01-03T00:00:00Z", Date.parse("2026-01-01T00:00:00Z")), "in 2 days");
});

test("what became of a write that was not wholly stored", () => {
  const prefix = "failure writing points to database: partial write: ";
  const conflict = `${prefix}field type conflict: input field "v" on measurement "m" is type string, already exists as type float dropped=1`;
  assert.deepEqual(partialReport(conflict, 'm v=1 1\n# m v="x"\nm,t=a v="x y" 2\n\nm v=3i\nn v="x"'), {
    title: "Partly stored: 1 point was dropped, the others were stored",
    reason: 'field type conflict: input field "v" on measurement "m" is type string, already exists as type float',
    lines: [{ number: 3, line: 'm,t=a v="x y" 2', reason: "v is string here, and float in the bucket" }],
    rest: 0,
  });
  // More lines fit the reason than were dropped: which of them, only the server knows.
  assert.deepEqual(partialReport(conflict, 'm v="a"\nm v="b"\nm v=1').lines, []);
  const more = partialReport(conflict.replace("dropped=1", "dropped=3"), 'm v="a"\nm v="b"\nm v=1\nm v=2');
  assert.deepEqual([more.lines.map((l) => l.number), more.rest], [[1, 2], 1]);
  const bound = "dropped because it violates a Retention Policy Lower Bound at 2026-01-01T00:00:00Z";
  const old = `${prefix}dropped 2 points outside retention policy of duration 1h0m0s - oldest point m,t=a b at 1970-01-01T00:00:00Z ${bound}, newest point m at 1970-01-01T00:00:01Z ${bound} dropped=2 for database: 0a for retention policy: autogen`;
  const told = partialReport(old, "m,t=a\\ b v=1 0\nm v=2 1", "s");
  assert.equal(told.title, "Nothing was stored: 2 points were dropped");
  const why = "older than the bucket keeps, which is since 2026-01-01T00:00:00Z";
  assert.deepEqual(told.lines, [
    { number: 1, line: "m,t=a\\ b v=1 0", reason: why },
    { number: 2, line: "m v=2 1", reason: why },
  ]);
  const stripped = `${prefix}invalid field name: input field "time" on measurement "m" is invalid. Field "time" has been stripped from point. dropped=0 for database: 0a for retention policy: autogen`;
  assert.deepEqual(partialReport(stripped, "m v=1\nm time=2,v=1").lines.map((l) => l.number), [2]);
  const long = `${prefix}input field "v" on measurement "m" is too long, 5 > 4 dropped=1`;
  assert.deepEqual(partialReport(long, 'm v="1234"\nm v="ää2"').lines.map((l) => l.number), [2]);
  assert.equal(partialReport("unable to parse 'm v'", "m v"), null);
});

test("lines of a refused text have their numbers", () => {
  const message = "unable to parse 'm v': missing field value\nunable to parse 'n': missing fields";
  assert.deepEqual(parseReport(message, "ok v=1\nm v\n\nn"), [
    { number: 2, line: "m v", reason: "missing field value" },
    { number: 4, line: "n", reason: "missing fields" },
  ]);
});

test("line protocol is read as far as it is needed", () => {
  const text = 'a\\ b,t\\ 1=x\\,y f\\ 1="q \\" , =\nz",g=1u,h=T,i=2i,j=1e3 -5\nsecond v=1';
  assert.deepEqual(pointsOf(text).map(({ number, measurement, fields, time }) => [number, measurement, fields.map((f) => [f.name, f.type]), time]), [
    [1, "a b", [["f 1", "string"], ["g", "unsigned"], ["h", "boolean"], ["i", "integer"], ["j", "float"]], -5n],
    [3, "second", [["v", "float"]], null],
  ]);
});

test("a bucket's facet finds what reaches it all, too", () => {
  const token = (id, ...permissions) => ({ id, description: id, status: "active", orgID: "0a", userID: "0b", permissions });
  const on = (orgID, id, name) => ({ action: "read", resource: { type: "buckets", ...(orgID ? { orgID } : {}), ...(id ? { id, name } : {}) } });
  const rows = rowsOf([token("one", on("0a", "0c", "x")), token("wide", on("0a")), token("elsewhere", on("0d")), token("operator", ...operatorSet()), token("other", on("0a", "0e", "y"))]);
  assert.deepEqual(filterRows(rows, { bucket: "x" }).map((r) => r.id), ["one", "wide", "operator"]);
});

test("what is gone is told from what was never named", () => {
  assert.ok(isGone({ resource: { type: "users", id: "0a" } }));
  assert.ok(!isGone({ resource: { type: "users", id: "0a", name: "x" } }));
  assert.ok(!isGone({ resource: { type: "telegrafs", id: "0a" } }), "the server names none of this type");
});

test("warnings and refusals beside an answer are heard", async () => {
  const heard = [];
  const replies = [
    answer(201, { ok: 1 }, { "X-Fluxkeep-Warning": "weak" }),
    answer(401, { code: "unauthorized", message: "write:orgs/1/buckets is unauthorized" }),
    answer(403, { code: "forbidden", message: "no" }),
    answer(500, { code: "internal error", message: "disk" }),
  ];
  const api = createApi({ fetch: async () => replies.shift(), onWarning: (w) => heard.push(w), onDenied: () => heard.push("denied"), onDown: (e) => heard.push(e.status) });
  await api.post("/x", {});
  await assert.rejects(api.post("/x", {}), (e) => e.kind === "permission");
  await assert.rejects(api.get("/x"), (e) => e.kind === "forbidden");
  await assert.rejects(api.get("/x"), (e) => e.kind === "down");
  assert.deepEqual(heard, ["weak", "denied", 500]);
});

test("the command that makes the same token", () => {
  const on = (action, type, id) => ({ action, resource: { type, orgID: "0a", ...(id ? { id } : {}) } });
  const wish = (permissions, more = {}) => ({ orgID: "0a", description: "", permissions, ...more });
  assert.equal(
    commandOf("Custom", wish([on("read", "buckets", "0b"), on("write", "buckets"), on("read", "dashboards")], { description: "it's $HOME" }), "mother of all"),
    "influx auth create \\\n  --org-id 0a \\\n  --user 'mother of all' \\\n  --description 'it'\\''s $HOME' \\\n  --read-bucket 0b \\\n  --write-buckets \\\n  --read-dashboards",
  );
  assert.equal(commandOf("Operator", wish(operatorSet())), "influx auth create \\\n  --org-id 0a \\\n  --operator");
  assert.match(commandOf("All Access", wish(allAccessSet("0a", "0c"))), /--all-access$/);
  for (const [permissions, more] of [
    [[on("read", "telegrafs", "0d")], {}],
    [[{ action: "read", resource: { type: "orgs", id: "0a" } }], {}],
    [[on("read", "tasks")], { expiresAt: "2030-01-01T00:00:00Z" }],
    [[], {}],
  ]) assert.equal(commandOf("Custom", wish(permissions, more)), "");
});
