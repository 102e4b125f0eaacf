import { useCallback, useEffect, useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { nameProblem, RETENTIONS, retentionSeconds } from "../../lib/buckets.js";
import { allows, operatorSet } from "../../lib/perms.js";
import { recall, remember } from "../../lib/store.js";
import { absolute, duration, parseDuration, relative, typedDuration } from "../../lib/time.js";
import { Copy } from "../../parts/Copy.jsx";
import { Confirm, Dialog } from "../../parts/Dialog.jsx";
import { Action, Check, Field } from "../../parts/Field.jsx";
import { Menu } from "../../parts/Menu.jsx";
import { State } from "../../parts/Page.jsx";
import { sorted, Table } from "../../parts/Table.jsx";
import { Link } from "../Shell.jsx";
import { Generate } from "../tokens/Generate.jsx";
import { RevealDialog } from "../tokens/Dialogs.jsx";
import { Icon } from "../../parts/Icon.jsx";

const rule = (b) => b.retentionRules[0] ?? {};
const SORTS = {
  name: (b) => b.name,
  retention: (b) => rule(b).everySeconds || Infinity,
  shard: (b) => rule(b).shardGroupDurationSeconds ?? 0,
  created: (b) => Date.parse(b.createdAt),
};

export function Buckets() {
  const { api, org, query, setQuery, navigate, tz, toast, may, hint, revived, refreshHint, me } = usePage();
  const [buckets, setBuckets] = useState(null);
  const [error, setError] = useState("");
  const [dialog, setDialog] = useState(null);
  const [system, setSystem] = useState(recall("system", false));
  const load = useCallback(async () => {
    try {
      setBuckets(await api.pages(`/api/v2/buckets?orgID=${org.id}`, "buckets"));
      setError("");
    } catch (failure) {
      setError(`Could not load buckets: ${failure.message}`);
    }
  }, [org.id]);
  useEffect(() => {
    load();
  }, [load, revived]);
  useEffect(() => remember("system", system), [system]);

  const sort = { id: SORTS[query.sort] ? query.sort : "name", dir: query.dir === "desc" ? "desc" : "asc" };
  const words = (query.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const visible = (buckets ?? []).filter((b) => system || b.type !== "system");
  const shown = sorted(
    visible.filter((b) => words.every((w) => `${b.name}\n${b.description ?? ""}\n${b.id}`.toLowerCase().includes(w))),
    SORTS[sort.id],
    sort.dir,
  );
  const reasonToMake = may("write", { type: "buckets", orgID: org.id }) ? "" : `needs write on buckets in ${org.name}`;
  const reasonToChange = (b) => (may("write", { type: "buckets", orgID: org.id, id: b.id }) ? "" : `needs write on ${b.name}`);
  const open = (b) => `/orgs/${org.id}/load-data/buckets/${b.id}`;
  const columns = [
    { id: "name", label: "Name", sort: true, class: "grow", cell: (b) => <><Link to={open(b)} title={b.name}>{b.name || "(no name)"}</Link> {b.type === "system" && <span class="badge">system</span>}</> },
    { id: "retention", label: "Retention", sort: true, cell: (b) => duration(rule(b).everySeconds) },
    { id: "shard", label: "Shard group", sort: true, cell: (b) => (rule(b).shardGroupDurationSeconds ? duration(rule(b).shardGroupDurationSeconds) : "–") },
    { id: "description", label: "Description", class: "wide", cell: (b) => <span title={b.description}>{b.description ?? ""}</span> },
    { id: "created", label: "Created", sort: true, cell: (b) => <time title={absolute(b.createdAt, tz)}>{relative(b.createdAt)}</time> },
    { id: "id", label: "Id", cell: (b) => <span class="mono">{b.id} <Copy text={b.id} label={`Copy id of ${b.name}`} /></span> },
    {
      id: "menu", label: "", class: "narrow menu-cell",
      cell: (b) => (
        <Menu
          label={`Actions for ${b.name}`}
          items={[
            { label: "Open", onSelect: () => navigate(open(b)) },
            { label: "Write data", reason: reasonToChange(b), onSelect: () => navigate(`${open(b)}?write=1`) },
            { label: "Generate read/write token", reason: may("write", { type: "authorizations", orgID: org.id }) ? "" : `needs write on authorizations in ${org.name}`, onSelect: () => setDialog({ kind: "generate", bucket: b }) },
            { label: "Edit", reason: reasonToChange(b), onSelect: () => setDialog({ kind: "edit", bucket: b }) },
            { label: "Delete", danger: true, reason: b.type === "system" ? "system buckets cannot be deleted" : reasonToChange(b), onSelect: () => setDialog({ kind: "delete", bucket: b }) },
          ]}
        >
          <Icon name="more" />
        </Menu>
      ),
    },
  ];
  return (
    <>
      <div class="bar">
        <label class="filter">
          <span class="visually-hidden">Filter buckets</span>
          <input data-filter type="search" placeholder="Filter by name, description, id" value={query.q ?? ""} onInput={(e) => setQuery({ q: e.currentTarget.value })} />
        </label>
        <Check label="Show system buckets" checked={system} onChange={(e) => setSystem(e.currentTarget.checked)} />
        <span class="mute" aria-live="polite">{buckets ? `${shown.length} of ${visible.length} shown` : ""}</span>
        <Action class="primary" reason={reasonToMake} onClick={() => setDialog({ kind: "create" })}>Create bucket</Action>
      </div>
      <State
        loading={!buckets && !error}
        error={error}
        onRetry={load}
        empty={buckets && visible.length === 0 ? <><p><strong>No buckets you can see</strong></p>{!reasonToMake && <button type="button" class="primary" onClick={() => setDialog({ kind: "create" })}>Create bucket</button>}</> : buckets && shown.length === 0 ? <><p>No bucket matches your filter</p><button type="button" onClick={() => setQuery({ q: "" })}>Clear the filter</button></> : null}
      >
        <Table
          label="Buckets"
          columns={columns}
          rows={shown}
          rowKey={(b) => b.id}
          rowName={(b) => b.name}
          sort={sort}
          onSort={(id) => setQuery({ sort: id, dir: sort.id === id && sort.dir === "asc" ? "desc" : "asc" })}
        />
      </State>
      {(dialog?.kind === "create" || dialog?.kind === "edit") && (
        <BucketForm
          bucket={dialog.bucket}
          onClose={() => setDialog(null)}
          onGone={() => {
            setDialog(null);
            load();
          }}
          onSaved={() => {
            setDialog(null);
            toast(dialog.bucket ? "Bucket saved" : "Bucket created");
            load();
          }}
        />
      )}
      {dialog?.kind === "delete" && <DeleteBucket bucket={dialog.bucket} onClose={() => setDialog(null)} onDone={() => { setDialog(null); load(); }} />}
      {dialog?.kind === "generate" && (
        <Generate
          shape="Read/Write"
          isOperator={operatorSet().every((p) => allows(hint, p))}
          preset={{ orgID: org.id, permissions: ["read", "write"].map((action) => ({ action, resource: { type: "buckets", orgID: org.id, id: dialog.bucket.id, name: dialog.bucket.name } })) }}
          onClose={() => setDialog(null)}
          onMade={(token, secret) => {
            setDialog({ kind: "reveal", token, secret });
            if (token.userID === me.id) refreshHint().catch(() => {});
          }}
        />
      )}
      {dialog?.kind === "reveal" && <RevealDialog secret={dialog.secret} token={dialog.token} onClose={() => setDialog(null)} />}
    </>
  );
}

export function BucketForm({ bucket, onClose, onSaved, onGone }) {
  const { api, org, isGone } = usePage();
  const seconds = bucket ? (rule(bucket).everySeconds ?? 0) : 0;
  const known = RETENTIONS.some(([value]) => value === String(seconds));
  const [form, setForm] = useState({
    name: bucket?.name ?? "", description: bucket?.description ?? "", retention: known ? String(seconds) : "custom",
    custom: known ? "" : typedDuration(seconds), shard: "",
  });
  const [touched, setTouched] = useState(false);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const isSystem = bucket?.type === "system";
  const every = retentionSeconds(form.retention, form.custom);
  const shard = form.shard ? parseDuration(form.shard) : null;
  const wrong = {
    name: isSystem ? "" : nameProblem(form.name),
    custom: every === null ? "A duration of at least 1h, for example 36h or 90d" : "",
    shard: form.shard && (shard === null || shard < 3600) ? "A duration of at least 1h" : "",
  };
  // The server's word stands beside the field that it is about.
  const place = !error ? "" : /name|already exists/i.test(error) ? "name" : /shard/i.test(error) ? "shard" : /retention|duration/i.test(error) ? "retention" : "form";
  const change = (name) => (e) => {
    setForm({ ...form, [name]: e.currentTarget.value });
    setError("");
  };
  const submit = async (event) => {
    event.preventDefault();
    setTouched(true);
    if (busy) return;
    if (Object.values(wrong).some(Boolean)) {
      const box = event.currentTarget;
      setTimeout(() => box.querySelector('[aria-invalid="true"]')?.focus());
      return;
    }
    setBusy(true);
    setError("");
    const body = {
      ...(isSystem ? {} : { name: form.name }),
      description: form.description,
      retentionRules: [{ type: "expire", everySeconds: every, ...(shard ? { shardGroupDurationSeconds: shard } : {}) }],
    };
    try {
      if (bucket) await api.patch(`/api/v2/buckets/${bucket.id}`, body);
      else await api.post("/api/v2/buckets", { orgID: org.id, ...body });
      onSaved();
    } catch (failure) {
      if (bucket && isGone(failure, "This bucket")) onGone();
      setError(failure.message);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={bucket ? `Edit ${bucket.name}` : "Create bucket"}
      onClose={onClose}
      footer={
        <>
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="submit" form="bucket-form" class="primary" disabled={busy} aria-busy={busy}>{bucket ? "Save" : "Create"}</button>
        </>
      }
    >
      <form id="bucket-form" onSubmit={submit} noValidate>
        {place === "form" && <p class="alert bad" role="alert">{error}</p>}
        <Field label="Name" value={form.name} readOnly={isSystem} onInput={change("name")} error={(touched && wrong.name) || (place === "name" && error)} alert={place === "name"} hint={isSystem ? "System buckets cannot be renamed" : bucket && form.name !== bucket.name ? "Queries, tokens and clients that use the old name will not find it" : ""} />
        <Field label="Keep data" as="select" value={form.retention} onChange={change("retention")} error={place === "retention" && error} alert>
          {RETENTIONS.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
        </Field>
        {form.retention === "custom" && <Field label="Custom retention" placeholder="90d" value={form.custom} onInput={change("custom")} error={touched ? wrong.custom : ""} />}
        {bucket && every !== null && every !== 0 && (seconds === 0 || every < seconds) && <p class="alert warn">Points older than {duration(every)} will be deleted.</p>}
        <Field label="Description" value={form.description} onInput={change("description")} />
        <details open={place === "shard" || undefined}>
          <summary>Advanced</summary>
          <Field label="Shard group duration" placeholder={bucket ? duration(rule(bucket).shardGroupDurationSeconds) : "chosen by the server"} value={form.shard} onInput={change("shard")} error={(touched && wrong.shard) || (place === "shard" && error)} alert={place === "shard"} hint="The time range of one group of files" />
        </details>
      </form>
    </Dialog>
  );
}

function DeleteBucket({ bucket, onClose, onDone }) {
  const { api, org, toast, isGone } = usePage();
  const [value, setValue] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [users, setUsers] = useState(null);
  useEffect(() => {
    api.tokens(`?orgID=${org.id}`).then((all) => setUsers(all.filter((t) => t.permissions.some((p) => p.resource.id === bucket.id))), () => {});
  }, []);
  const go = async () => {
    setBusy(true);
    try {
      await api.delete(`/api/v2/buckets/${bucket.id}`);
      toast("Bucket deleted");
      onDone();
    } catch (failure) {
      if (isGone(failure, "This bucket")) onDone();
      setError(failure.message);
      setBusy(false);
    }
  };
  return (
    <Confirm title="Delete this bucket?" action="Delete bucket" onConfirm={go} onClose={onClose} busy={busy} error={error} typed={bucket.name} value={value} onValue={setValue}>
      <p><strong>{bucket.name}</strong> and all its points are deleted. This cannot be undone.</p>
      {users?.length > 0 && <p class="alert warn">{users.length} token{users.length > 1 ? "s" : ""} refer to it: {users.slice(0, 5).map((t) => t.description || t.id).join(", ")}</p>}
    </Confirm>
  );
}
