import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { parseReport, partialReport } from "../../lib/buckets.js";
import { fluxString, parse } from "../../lib/csv.js";
import { absolute, duration } from "../../lib/time.js";
import { Copy } from "../../parts/Copy.jsx";
import { Field } from "../../parts/Field.jsx";
import { State } from "../../parts/Page.jsx";
import { Link } from "../Shell.jsx";

const POINTS = 500;
// Refused lines that are listed one by one, and points in the table beneath the plot.
const LINES = 50;
const NEWEST = 20;

export function Bucket() {
  const { api, org, route, query: asked, tz, may, setNamed } = usePage();
  const [bucket, setBucket] = useState(null);
  const [tokens, setTokens] = useState([]);
  const [error, setError] = useState("");
  const [written, setWritten] = useState(0);
  const load = useCallback(async () => {
    try {
      setBucket(await api.get(`/api/v2/buckets/${route.params.bucketID}`));
      setError("");
      const all = await api.tokens(`?orgID=${org.id}`);
      setTokens(all.filter((t) => t.permissions.some((p) => p.resource.type === "buckets" && (p.resource.id === route.params.bucketID || (!p.resource.id && (!p.resource.orgID || p.resource.orgID === org.id))))));
    } catch (failure) {
      setError(failure.kind === "gone" ? "This bucket does not exist, or you may not see it." : failure.message);
    }
  }, [route.params.bucketID]);
  useEffect(() => {
    load();
  }, [load]);
  useEffect(() => {
    setNamed(bucket?.name ?? "");
    return () => setNamed("");
  }, [bucket?.name]);
  const rule = bucket?.retentionRules[0] ?? {};
  const reason = bucket && (may("write", { type: "buckets", orgID: org.id, id: bucket.id }) ? "" : `needs write on ${bucket.name}`);
  return (
    <>
      <p><Link to={`/orgs/${org.id}/load-data/buckets`}>← All buckets</Link></p>
      <State loading={!bucket && !error} error={error} onRetry={load}>
        <div class="columns">
          <div>
            <section class="panel" aria-label="Newest points">
              <h2>Newest points</h2>
              {bucket && <Newest bucket={bucket} key={written} />}
            </section>
            {bucket && <Schema bucket={bucket} key={`schema ${written}`} />}
            <section class="panel" aria-label="Tokens that reach it">
              <h2>Tokens that reach it</h2>
              {tokens.length === 0 ? <p class="mute">No tokens you can see</p> : (
                <ul>{tokens.slice(0, 20).map((t) => <li key={t.id}><Link to={`/orgs/${org.id}/load-data/tokens?id=${t.id}`}>{t.description || t.id}</Link></li>)}</ul>
              )}
              {tokens.length > 20 && <p class="mute">and {tokens.length - 20} more</p>}
            </section>
          </div>
          <div>
            <section class="panel" aria-label="Write line protocol">
              <h2>Write line protocol</h2>
              {reason ? <p class="mute">{reason}</p> : <WriteBox bucketID={bucket?.id} wanted={asked.write === "1"} onWritten={() => setWritten(written + 1)} />}
            </section>
            <section class="panel" aria-label="Properties">
              <h2>Properties</h2>
              <dl class="facts">
                <div><dt>Id</dt><dd class="mono">{bucket?.id} <Copy text={bucket?.id ?? ""} label="Copy id" /></dd></div>
                <div><dt>Retention</dt><dd>{duration(rule.everySeconds)}</dd></div>
                <div><dt>Shard group</dt><dd>{rule.shardGroupDurationSeconds ? duration(rule.shardGroupDurationSeconds) : "–"}</dd></div>
                <div><dt>Description</dt><dd>{bucket?.description || "–"}</dd></div>
                <div><dt>Created</dt><dd>{bucket && absolute(bucket.createdAt, tz)}</dd></div>
              </dl>
            </section>
          </div>
        </div>
      </State>
    </>
  );
}

/** Line protocol into this bucket, and what became of every line. */
function WriteBox({ bucketID, wanted, onWritten }) {
  const { api, org } = usePage();
  const [text, setText] = useState("");
  const [precision, setPrecision] = useState("ns");
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState(null);
  const form = useRef(null);
  // Who came to write begins in the box.
  useEffect(() => {
    if (wanted && bucketID) form.current.querySelector("textarea").focus();
  }, [wanted, bucketID]);
  const write = async (event) => {
    event?.preventDefault();
    if (busy || !text.trim()) return;
    setBusy(true);
    setOutcome(null);
    try {
      await api.post(`/api/v2/write?orgID=${org.id}&bucket=${bucketID}&precision=${precision}`, text, { headers: { "Content-Type": "text/plain; charset=utf-8" } });
      setOutcome({ kind: "ok", title: "Written" });
      onWritten();
    } catch (failure) {
      const partial = failure.status === 422 && partialReport(failure.message, text, precision);
      if (partial) {
        setOutcome({ kind: "warn", title: partial.title, lines: partial.lines, rest: partial.rest, message: partial.reason });
        onWritten();
      } else if (failure.status === 400) setOutcome({ kind: "bad", title: "Nothing was stored", lines: parseReport(failure.message, text), message: failure.message });
      else setOutcome({ kind: "bad", title: "Nothing was stored", message: failure.message });
    }
    setBusy(false);
  };
  return (
    <form onSubmit={write} ref={form}>
      <Field
        label="Lines"
        as="textarea"
        rows={6}
        value={text}
        spellcheck={false}
        placeholder="temperature,room=kitchen celsius=21.5"
        hint="Ctrl+Enter writes. A line: measurement,tag=value field=value timestamp"
        onInput={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => (e.ctrlKey || e.metaKey) && e.key === "Enter" && write(e)}
      />
      <div class="bar">
        <label class="facet">
          <span class="visually-hidden">Precision</span>
          <select value={precision} onChange={(e) => setPrecision(e.currentTarget.value)}>
            {[["ns", "Nanoseconds"], ["us", "Microseconds"], ["ms", "Milliseconds"], ["s", "Seconds"]].map(([value, name]) => <option key={value} value={value}>{name}</option>)}
          </select>
        </label>
        <button type="submit" class="primary" disabled={busy || !text.trim()} aria-busy={busy}>Write</button>
      </div>
      <div role="status">
        {outcome && (
          <div class={`alert ${outcome.kind}`}>
            <p><strong>{outcome.title}</strong></p>
            {outcome.lines?.length ? (
              <>
                <ul class="report">
                  {outcome.lines.slice(0, LINES).map(({ number, line, reason: why }, i) => (
                    <li key={i}>{number && <strong>Line {number}</strong>} <span>{why}</span> <code>{line.length > 200 ? `${line.slice(0, 200)}…` : line}</code></li>
                  ))}
                </ul>
                {outcome.rest > 0 && <p>The server dropped {outcome.rest} more, and does not say for which reason.</p>}
                {outcome.lines.length > LINES && <p>and {outcome.lines.length - LINES} more lines</p>}
              </>
            ) : outcome.message && <p>{outcome.message}</p>}
          </div>
        )}
      </div>
    </form>
  );
}

/** The newest points of one numeric field, as a small plot. */
function Newest({ bucket }) {
  const { api, org, tz, theme } = usePage();
  const [state, setState] = useState({ loading: true });
  const box = useRef(null);
  useEffect(() => {
    const query =
      `from(bucket: ${fluxString(bucket.name)}) |> range(start: 0, stop: 2200-01-01T00:00:00Z) |> last() |> keep(columns: ["_measurement", "_field", "_time", "_value"]) |> limit(n: 50)`;
    const ask = async (text) => {
      const answer = await api.post(`/api/v2/query?orgID=${org.id}`, { query: text, type: "flux", dialect: { annotations: ["datatype", "group", "default"], header: true } }, { raw: true });
      return parse(await answer.text());
    };
    (async () => {
      try {
        const latest = await ask(query);
        const column = (table, label) => table.columns.findIndex((c) => c.label === label);
        const candidates = latest
          .filter((t) => t.rows.length && ["double", "long", "unsignedLong"].includes(t.columns[column(t, "_value")]?.type))
          .map((t) => ({ measurement: t.rows[0][column(t, "_measurement")], field: t.rows[0][column(t, "_field")], time: t.rows[0][column(t, "_time")] }))
          .sort((a, b) => Date.parse(b.time) - Date.parse(a.time));
        if (!candidates.length) {
          setState({ empty: latest.some((t) => t.rows.length) ? "There are points, but none that can be drawn" : "No points yet" });
          return;
        }
        const { measurement, field } = candidates[0];
        const tables = await ask(
          `from(bucket: ${fluxString(bucket.name)}) |> range(start: 0, stop: 2200-01-01T00:00:00Z) |> filter(fn: (r) => r._measurement == ${fluxString(measurement)} and r._field == ${fluxString(field)}) |> tail(n: ${POINTS})`,
        );
        setState({ measurement, field, tables });
      } catch (failure) {
        setState({ error: failure.message });
      }
    })();
  }, [bucket.id]);
  useEffect(() => {
    if (!state.tables) return undefined;
    let plot;
    let gone = false;
    import("../../parts/Plot.js").then(({ draw }) => {
      if (!gone && box.current) plot = draw(box.current, state.tables, tz);
    });
    return () => {
      gone = true;
      plot?.destroy();
    };
  }, [state.tables, tz, theme]);
  if (state.loading) return <div class="skeleton" aria-busy="true" />;
  if (state.error) return <p class="bad" role="alert">{state.error}</p>;
  if (state.empty) return <p class="mute">{state.empty}</p>;
  return (
    <>
      <p class="mute">{state.measurement} · {state.field}</p>
      <div class="plot" ref={box} />
      <details>
        <summary>The newest as a table</summary>
        <div class="grid-box" tabIndex={0} role="region" aria-label="Newest points as a table">
          <table class="grid-table">
            <thead><tr><th scope="col">Time</th><th scope="col">Series</th><th scope="col" class="number">{state.field}</th></tr></thead>
            <tbody>{newestOf(state.tables).map(({ time, series, shown }, i) => <tr key={i}><td>{absolute(time, tz)}</td><td>{series || "–"}</td><td class="number">{shown ?? "–"}</td></tr>)}</tbody>
          </table>
        </div>
      </details>
    </>
  );
}

/** The newest points of all tables: [{time, series, shown}]. */
function newestOf(tables) {
  const rows = tables.flatMap((table) => {
    const at = (label) => table.columns.findIndex((c) => c.label === label);
    const keys = table.columns.filter((c) => c.group && !["_start", "_stop", "_measurement", "_field"].includes(c.label));
    return table.rows.map((row) => ({ time: row[at("_time")], series: keys.map((c) => `${c.label}=${row[at(c.label)]}`).join(" "), shown: row[at("_value")] }));
  });
  return rows.sort((a, b) => Date.parse(b.time) - Date.parse(a.time)).slice(0, NEWEST);
}

/** Measurements and their fields. */
function Schema({ bucket }) {
  const { api, org } = usePage();
  const [fields, setFields] = useState(null);
  const [error, setError] = useState("");
  useEffect(() => {
    const query = `from(bucket: ${fluxString(bucket.name)}) |> range(start: 0, stop: 2200-01-01T00:00:00Z) |> last() |> keep(columns: ["_measurement", "_field"]) |> group() |> limit(n: 2000)`;
    api
      .post(`/api/v2/query?orgID=${org.id}`, { query, type: "flux", dialect: { annotations: ["datatype", "group", "default"], header: true } }, { raw: true })
      .then((answer) => answer.text())
      .then((text) => {
        const found = new Map();
        for (const table of parse(text)) {
          const m = table.columns.findIndex((c) => c.label === "_measurement");
          const f = table.columns.findIndex((c) => c.label === "_field");
          for (const row of table.rows) found.set(row[m], (found.get(row[m]) ?? new Set()).add(row[f]));
        }
        setFields(found);
      })
      .catch((failure) => setError(failure.message));
  }, []);
  return (
    <section class="panel" aria-label="Schema">
      <h2>Schema</h2>
      {error && <p class="bad" role="alert">{error}</p>}
      {fields?.size === 0 && <p class="mute">No measurements yet</p>}
      {fields && [...fields].map(([measurement, names]) => (
        <details key={measurement}>
          <summary>{measurement} <span class="mute">{names.size} field{names.size === 1 ? "" : "s"}</span></summary>
          <ul>{[...names].sort().map((name) => <li key={name}><code>{name}</code></li>)}</ul>
        </details>
      ))}
    </section>
  );
}
