import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { allows, operatorSet, summary } from "../../lib/perms.js";
import { recall, remember } from "../../lib/store.js";
import { absolute, relative } from "../../lib/time.js";
import { filterRows, inFlight, rowsOf } from "../../lib/tokens.js";
import { Combobox } from "../../parts/Combobox.jsx";
import { Action, Check } from "../../parts/Field.jsx";
import { Menu } from "../../parts/Menu.jsx";
import { State } from "../../parts/Page.jsx";
import { sorted, Table } from "../../parts/Table.jsx";
import { BulkDialog, DeleteDialog, Details, PowerDialog, RenewDialog, RevealDialog } from "./Dialogs.jsx";
import { Generate } from "./Generate.jsx";
import { Status } from "./Status.jsx";
import { Icon } from "../../parts/Icon.jsx";

const FRESH_MS = 30_000;
// More than these are narrowed by typing.
const FEW = 12;
// Characters that the chips of one row have room for together.
const CHIPS = 16;
const OPTIONAL = ["Access", "Owner", "Created", "Last used", "Expires"];
const SORTS = {
  description: (t) => t.description || null,
  type: (t) => t.kind,
  status: (t) => t.state,
  owner: (t) => t.user,
  org: (t) => t.org,
  created: (t) => Date.parse(t.createdAt),
  used: (t) => (t.lastUsedAt ? Date.parse(t.lastUsedAt) : null),
  expires: (t) => (t.expiresAt ? Date.parse(t.expiresAt) : null),
};

export function Tokens() {
  const page = usePage();
  const { api, org, me, query, setQuery, tz, toast, may, hint, refreshHint, revived, flags } = page;
  const [tokens, setTokens] = useState(null);
  const [asleep, setAsleep] = useState(new Set());
  const [error, setError] = useState("");
  // What an action met with; loading the list anew does not take it away.
  const [trouble, setTrouble] = useState("");
  const [loading, setLoading] = useState(false);
  const [selected, setSelected] = useState(new Set());
  const [fresh, setFresh] = useState("");
  const [dialog, setDialog] = useState(null);
  const [hidden, setHidden] = useState(new Set(recall("columns", [])));
  const at = useRef(0);
  const isOperator = useMemo(() => operatorSet().every((p) => allows(hint, p)), [hint]);
  const everywhere = isOperator && query.scope === "all";

  const load = useCallback(async () => {
    setLoading(true);
    try {
      setTokens(await api.tokens(everywhere ? "" : `?orgID=${org.id}`));
      at.current = Date.now();
      setError("");
    } catch (failure) {
      setError(`Could not load tokens: ${failure.message}`);
    }
    setLoading(false);
  }, [api, org.id, everywhere]);
  useEffect(() => {
    load();
  }, [load, revived]);
  useEffect(() => {
    const onFocus = () => {
      if (Date.now() - at.current > FRESH_MS) load();
    };
    window.addEventListener("focus", onFocus);
    return () => window.removeEventListener("focus", onFocus);
  }, [load]);

  // Who sees no other users sees no tokens of theirs either.
  useEffect(() => {
    if (!isOperator || !tokens || loading) return;
    api.pages("/api/v2/users", "users").then((users) => setAsleep(new Set(users.filter((u) => u.status === "inactive").map((u) => u.id))), () => {});
  }, [isOperator, loading]);
  const rows = useMemo(() => rowsOf(tokens ?? []), [tokens]);
  const sort = { id: SORTS[query.sort] ? query.sort : "created", dir: query.dir === "asc" ? "asc" : query.dir === "desc" ? "desc" : query.sort ? "asc" : "desc" };
  const shown = useMemo(
    () => sorted(filterRows(rows, query), SORTS[sort.id], sort.dir),
    [rows, query.q, query.status, query.type, query.owner, query.bucket, sort.id, sort.dir],
  );
  const replace = (changed) => setTokens((all) => all.map((t) => (t.id === changed.id ? { ...t, ...changed } : t)));
  const drop = (id) => {
    setTokens((all) => all.filter((t) => t.id !== id));
    setSelected((old) => new Set([...old].filter((one) => one !== id)));
  };
  const reasonToChange = (t) =>
    may("write", { type: "authorizations", orgID: t.orgID, id: t.id }) && may("write", { type: "users", id: t.userID })
      ? ""
      : `needs write on authorizations in ${t.org}`;
  const reasonToMake = may("write", { type: "authorizations", orgID: org.id }) ? "" : `needs write on authorizations in ${org.name}`;

  const vanished = (t) => {
    drop(t.id);
    setDialog(null);
    if (query.id === t.id) setQuery({ id: "" });
    toast("This token no longer exists");
  };
  const setStatus = async (t, status) => {
    setTrouble("");
    try {
      replace(await api.patchToken(t.id, { status }));
      toast(status === "active" ? "Token activated" : "Token deactivated");
      if (t.userID === me.id) refreshHint().catch(() => {});
    } catch (failure) {
      if (failure.kind === "gone") vanished(t);
      else setTrouble(failure.message);
    }
  };
  // Whether this session could do less without the token.
  const dependsOn = (t) => {
    const rest = hint.filter((one) => one.from !== t.id);
    return t.userID === me.id && t.permissions.some((p) => !allows(rest, p));
  };
  const toggle = (t) => {
    if (t.status === "active" && (t.kind === "Operator" || dependsOn(t))) setDialog({ kind: "power", token: t });
    else setStatus(t, t.status === "active" ? "inactive" : "active");
  };
  const open = (t) => {
    setTrouble("");
    setQuery({ id: t.id });
  };
  const made = (token, secret) => {
    setDialog({ kind: "reveal", token, secret });
    setTokens((all) => [...(all ?? []).filter((t) => t.id !== token.id), { ...token, token: "" }]);
    setFresh(token.id);
    if (token.userID === me.id) refreshHint().catch(() => {});
  };

  const actionsOn = (t) => [
    { label: "Clone", reason: reasonToMake, onSelect: () => setDialog({ kind: "generate", shape: "Custom", source: t }) },
    flags.tokenRotation && { label: "Rotate secret", reason: reasonToChange(t), onSelect: () => setDialog({ kind: "renew", token: t, how: "rotate" }) },
    flags.tokenRotation && { label: "Regenerate secret", reason: reasonToChange(t), onSelect: () => setDialog({ kind: "renew", token: t, how: "regenerate" }) },
    { label: "Delete", danger: true, reason: reasonToChange(t), onSelect: () => setDialog({ kind: "delete", token: t }) },
  ].filter(Boolean);

  const columns = [
    { id: "description", label: "Description", sort: true, class: "grow", cell: (t) => <Description token={t} reason={reasonToChange(t)} onOpen={() => open(t)} onSaved={replace} onGone={() => vanished(t)} /> },
    { id: "type", label: "Type", sort: true, cell: (t) => <span class={`badge ${t.kind === "Operator" ? "bad" : ""}`}>{t.kind}</span> },
    { id: "Access", label: "Access", class: "access", cell: (t) => <span class="chips">{summary(t.permissions, 3, t.kind, CHIPS).map((c) => <span class={c.text[0] === "+" ? "chip rest" : "chip"} key={c.text} title={c.title ?? c.text}>{c.text}</span>)}</span> },
    { id: "status", label: "Status", sort: true, cell: (t) => <Status token={t} reason={reasonToChange(t)} onToggle={() => toggle(t)} /> },
    { id: "Owner", label: "Owner", sort: true, sortId: "owner", cell: (t) => t.user },
    everywhere && { id: "org", label: "Org", sort: true, cell: (t) => t.org },
    { id: "Created", label: "Created", sort: true, sortId: "created", cell: (t) => <time title={absolute(t.createdAt, tz)}>{relative(t.createdAt)}</time> },
    flags.tokenLastUsed && { id: "Last used", label: "Last used", sort: true, sortId: "used", cell: (t) => (t.lastUsedAt ? <time title={absolute(t.lastUsedAt, tz)}>{relative(t.lastUsedAt)}</time> : <span class="mute">never</span>) },
    flags.tokenExpiry && { id: "Expires", label: "Expires", sort: true, sortId: "expires", cell: (t) => (t.expiresAt ? <time class={t.state === "expired" ? "bad" : t.state === "expiring" ? "warn" : ""} title={absolute(t.expiresAt, tz)}>{relative(t.expiresAt)}</time> : <span class="mute">no expiry</span>) },
    {
      id: "menu", label: "", class: "narrow menu-cell",
      cell: (t) => (
        <Menu
          label={`Actions for ${t.description || t.id}`}
          items={[{ label: "Details", onSelect: () => open(t) }, ...actionsOn(t)]}
        >
          <Icon name="more" />
        </Menu>
      ),
    },
  ].filter((c) => c && !hidden.has(c.id)).map((c) => ({ ...c, id: c.sortId ?? c.id }));

  const facet = (name, label, values, words = {}) =>
    values.length > FEW ? (
      <Combobox
        className="facet"
        label={label}
        hideLabel
        placeholder={`${label}: any`}
        options={[{ value: "", text: "any" }, ...values.map((value) => ({ value, text: value }))]}
        value={query[name] || null}
        onPick={(value) => setQuery({ [name]: value })}
      />
    ) : (
      <label class="facet">
        <span class="visually-hidden">{label}</span>
        <select value={query[name] ?? ""} onChange={(e) => setQuery({ [name]: e.currentTarget.value })}>
          <option value="">{label}: any</option>
          {values.map((v) => <option key={v} value={v}>{words[v] ?? v}</option>)}
        </select>
      </label>
    );
  const unique = (values) => [...new Set(values)].filter(Boolean).sort();
  const chosen = shown.filter((t) => selected.has(t.id));
  const owners = unique(rows.map((t) => t.user));
  const warnings = warningsOf(rows, asleep);
  const opened = query.id && rows.find((t) => t.id === query.id);

  return (
    <>
      {query.welcome && <Welcome org={org} onDone={() => setQuery({ welcome: "" })} onToken={() => setDialog({ kind: "generate", shape: "All Access" })} />}
      {warnings.length > 0 && <div class="alert warn" role="note">{warnings.map((w) => <p key={w}>{w}</p>)}</div>}
      {!isOperator && rows.length > 0 && <p class="mute">Only your own tokens are listed.</p>}
      <div class="bar">
        <label class="filter">
          <span class="visually-hidden">Filter tokens</span>
          <input data-filter type="search" placeholder="Filter by description, id, owner, bucket" value={query.q ?? ""} onInput={(e) => setQuery({ q: e.currentTarget.value })} />
        </label>
        {facet("status", "Status", ["active", "inactive", "expired", "expiring"], { expiring: "expiring ≤ 7 d" })}
        {facet("type", "Type", ["Operator", "All Access", "Read/Write", "Custom"])}
        {facet("owner", "Owner", owners)}
        {facet("bucket", "Bucket", unique(rows.flatMap((t) => t.buckets)))}
        <Menu
          className="primary-menu"
          items={[
            { label: "All Access token", reason: reasonToMake, onSelect: () => setDialog({ kind: "generate", shape: "All Access" }) },
            { label: "Read/Write token", reason: reasonToMake, onSelect: () => setDialog({ kind: "generate", shape: "Read/Write" }) },
            { label: "Custom token", reason: reasonToMake, onSelect: () => setDialog({ kind: "generate", shape: "Custom" }) },
            isOperator && { label: "Operator token", danger: true, onSelect: () => setDialog({ kind: "generate", shape: "Operator" }) },
          ]}
        >
          Generate API token ▾
        </Menu>
      </div>
      <div class="bar under">
        <span class="mute" aria-live="polite">{tokens ? `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown` : ""}</span>
        {isOperator && <Check label="All organizations" checked={everywhere} onChange={(e) => setQuery({ scope: e.currentTarget.checked ? "all" : "" })} />}
        {chosen.length > 0 && (
          <span class="bulk">
            {chosen.length} selected
            {[["activate", "Activate"], ["deactivate", "Deactivate"], ["delete", "Delete"]].map(([how, label]) => (
              <Action key={how} class={how === "delete" ? "danger-text" : ""} onClick={() => setDialog({ kind: "bulk", how, tokens: chosen })}>{label}</Action>
            ))}
          </span>
        )}
        <span class="spacer" />
        <Menu
          label="Columns"
          items={OPTIONAL.map((name) => ({
            label: `${hidden.has(name) ? "  " : "✓ "}${name}`,
            onSelect: () => {
              const next = new Set(hidden);
              if (!next.delete(name)) next.add(name);
              setHidden(next);
              remember("columns", [...next]);
            },
          }))}
        >
          <Icon name="columns" />
        </Menu>
        <button type="button" class="icon" aria-label="Refresh" onClick={load}><Icon name="refresh" /></button>
      </div>
      {trouble && <p class="alert bad" role="alert">{trouble}</p>}
      {error && tokens && (
        <div class="alert bad actions" role="alert">
          <p>{error.replace(/\.?$/, ".")} What is listed is as of <time>{absolute(at.current, tz)}</time>.</p>
          <button type="button" onClick={load}>Retry</button>
        </div>
      )}
      <State
        loading={!tokens && !error}
        error={tokens ? "" : error}
        onRetry={load}
        empty={
          tokens && rows.length === 0 ? (
            <>
              <p><strong>No tokens you can see in {org.name}</strong></p>
              <p>All Access tokens read and write everything in an organization; Read/Write tokens reach chosen buckets only.</p>
              {!reasonToMake && <button type="button" class="primary" onClick={() => setDialog({ kind: "generate", shape: "Read/Write" })}>Generate a token</button>}
            </>
          ) : tokens && shown.length === 0 ? (
            <>
              <p>No token matches your filter</p>
              <button type="button" onClick={() => setQuery({ q: "", status: "", type: "", owner: "", bucket: "" })}>Clear the filter</button>
            </>
          ) : null
        }
      >
        <Table
          label="API tokens"
          busy={loading}
          stale={Boolean(error)}
          columns={columns}
          rows={shown}
          rowKey={(t) => t.id}
          rowName={(t) => t.description || t.id}
          sort={sort}
          onSort={(id) => setQuery({ sort: id, dir: sort.id === id && sort.dir === "asc" ? "desc" : "asc" })}
          selected={selected}
          onSelect={(id) => {
            const next = new Set(selected);
            if (!next.delete(id)) next.add(id);
            setSelected(next);
          }}
          onSelectAll={(on) => setSelected(on ? new Set(shown.map((t) => t.id)) : new Set())}
          highlight={fresh}
        />
      </State>
      {opened && !dialog && <Details token={opened} reason={reasonToChange(opened)} actions={actionsOn(opened)} onToggle={() => toggle(opened)} trouble={trouble} onClose={() => setQuery({ id: "" })} onChanged={replace} onGone={() => vanished(opened)} />}
      {dialog?.kind === "generate" && <Generate shape={dialog.shape} source={dialog.source} onClose={() => setDialog(null)} onMade={made} isOperator={isOperator} />}
      {dialog?.kind === "reveal" && <RevealDialog secret={dialog.secret} token={dialog.token} onClose={() => setDialog(null)} />}
      {dialog?.kind === "delete" && (
        <DeleteDialog
          token={dialog.token}
          last={dialog.token.kind === "Operator" && rows.filter((t) => t.kind === "Operator").length === 1}
          onClose={() => setDialog(null)}
          onDone={() => {
            drop(dialog.token.id);
            setDialog(null);
            if (dialog.token.userID === me.id) refreshHint().catch(() => {});
          }}
        />
      )}
      {dialog?.kind === "power" && <PowerDialog token={dialog.token} onClose={() => setDialog(null)} onDone={() => { setDialog(null); setStatus(dialog.token, "inactive"); }} />}
      {dialog?.kind === "renew" && <RenewDialog token={dialog.token} how={dialog.how} onClose={() => setDialog(null)} onMade={made} onGone={() => vanished(dialog.token)} />}
      {dialog?.kind === "bulk" && (
        <BulkDialog
          how={dialog.how}
          tokens={dialog.tokens}
          run={(items, work, step) => inFlight(items, work, 4, step)}
          onOne={(t, changed) => (changed ? replace(changed) : drop(t.id))}
          onClose={() => {
            setDialog(null);
            refreshHint().catch(() => {});
          }}
        />
      )}
    </>
  );
}

const QUIET_MS = 90 * 86_400_000;

function warningsOf(rows, asleep) {
  const operators = rows.filter((t) => t.kind === "Operator" && t.state !== "expired" && t.status === "active");
  const found = [];
  const quiet = operators.filter((t) => Date.now() - Date.parse(t.lastUsedAt ?? t.createdAt) > QUIET_MS);
  if (quiet.length) found.push(`${quiet.length} operator token${quiet.length > 1 ? "s have" : " has"} not been used for 90 days: ${quiet.map((t) => t.description || t.id).join(", ")}`);
  if (operators.length > 1) found.push(`${operators.length} operator tokens are active; each of them can do everything.`);
  const orphans = rows.filter((t) => asleep.has(t.userID));
  if (orphans.length) {
    const owners = [...new Set(orphans.map((t) => t.user))].sort();
    found.push(`${orphans.length} token${orphans.length > 1 ? "s do" : " does"} not work, because the owner is inactive: ${owners.join(", ")}`);
  }
  return found;
}

/** The description, edited in place: pencil or F2, Enter or leaving saves, Esc takes it back. */
function Description({ token, reason, onOpen, onSaved, onGone }) {
  const { api, toast } = usePage();
  const [text, setText] = useState(null);
  const [error, setError] = useState("");
  const box = useRef(null);
  const opener = useRef(null);
  // Taking the box away makes it lose the focus, which saves; not after Esc, and not twice after Enter.
  const over = useRef(false);
  const editing = text !== null;
  useEffect(() => {
    if (editing) box.current.select();
  }, [editing]);
  const end = () => {
    over.current = true;
    setText(null);
    setError("");
    setTimeout(() => opener.current?.focus());
  };
  const save = async () => {
    if (over.current) return;
    over.current = true;
    if (text === token.description) {
      end();
      return;
    }
    const old = token.description;
    onSaved({ id: token.id, description: text });
    try {
      onSaved(await api.patchToken(token.id, { description: text }));
      toast("Description saved");
      end();
    } catch (failure) {
      if (failure.kind === "gone") {
        onGone();
        return;
      }
      over.current = false;
      onSaved({ id: token.id, description: old });
      setError(failure.message);
      box.current?.focus();
    }
  };
  if (editing) {
    return (
      <span class="inline-edit">
        <input
          ref={box}
          aria-label="Description"
          aria-invalid={error ? "true" : undefined}
          value={text}
          onInput={(e) => setText(e.currentTarget.value)}
          onBlur={() => !error && save()}
          onKeyDown={(e) => {
            if (e.key === "Enter") save();
            if (e.key === "Escape") end();
          }}
        />
        {error && <span class="error" role="alert">{error}</span>}
      </span>
    );
  }
  const edit = () => {
    if (reason) return;
    over.current = false;
    setText(token.description ?? "");
  };
  return (
    <span class="description" onKeyDown={(e) => e.key === "F2" && edit()}>
      <button type="button" ref={opener} class="link" title={token.description} onClick={onOpen}>{token.description || "(no description)"}</button>
      <button type="button" class="icon pencil" aria-label={`Edit description of ${token.description || token.id}`} aria-disabled={reason ? "true" : undefined} aria-describedby={reason ? `why-${token.id}` : undefined} title={reason || undefined} onClick={edit}><Icon name="pencil" /></button>
    </span>
  );
}

function Welcome({ org, onDone, onToken }) {
  const { navigate } = usePage();
  return (
    <section class="panel" aria-label="First steps">
      <h2>First steps in {org.name}</h2>
      <ol>
        <li><button type="button" class="link" onClick={onToken}>Create an All Access token</button> for daily work</li>
        <li><button type="button" class="link" onClick={() => navigate(`/orgs/${org.id}/load-data/buckets`)}>Write a first point</button> into your bucket</li>
      </ol>
      <button type="button" onClick={onDone}>Hide</button>
    </section>
  );
}
