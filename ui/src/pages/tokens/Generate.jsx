import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { allAccessSet, allows, operatorSet, spell, stripped, TYPES } from "../../lib/perms.js";
import { commandOf, describe } from "../../lib/tokens.js";
import { Dialog } from "../../parts/Dialog.jsx";
import { Field } from "../../parts/Field.jsx";
import { Custom, Each } from "./Choice.jsx";

const DAY_MS = 86_400_000;
const EXPIRIES = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["date", "On a date…"], ["never", "Never"]];
const PRESETS = {
  "Telegraf writer": (org) => [["write", { type: "buckets", orgID: org }], ["read", { type: "telegrafs", orgID: org }]],
  "Grafana reader": (org) => [["read", { type: "buckets", orgID: org }], ["read", { type: "orgs", id: org }]],
  "Task runner": (org) => [["read", { type: "buckets", orgID: org }], ["write", { type: "buckets", orgID: org }], ["read", { type: "tasks", orgID: org }], ["write", { type: "tasks", orgID: org }]],
};
// What can be chosen of a type: the items, and what stands beneath them while there are none.
const LOADING = { items: [], note: "Loading…" };
const listed = (items, what) => ({ items, note: items.length ? "" : `No ${what} you can see` });
const NOTES = {
  "All Access": (org) => `It can read and write everything in ${org.name}.`,
  "Read/Write": () => "It reaches the chosen buckets only.",
  Custom: () => "It can do exactly what you choose.",
  Operator: () => "It can do everything in every organization, and change the server itself.",
};

/** The dialog that makes a token of any shape; a source makes it a clone, a preset ticks permissions. */
export function Generate({ shape, source, preset, onClose, onMade, isOperator }) {
  const { api, me, org: here, orgs, hint, flags } = usePage();
  const [orgID, setOrgID] = useState((source ?? preset)?.orgID ?? here.id);
  const [owner, setOwner] = useState(me.id);
  const [description, setDescription] = useState(source ? `${source.description || source.id} (copy)` : "");
  const [expiry, setExpiry] = useState(shape === "Operator" ? "30" : "never");
  const [date, setDate] = useState("");
  const [word, setWord] = useState("");
  const [users, setUsers] = useState([]);
  const [buckets, setBuckets] = useState(LOADING);
  const [configurations, setConfigurations] = useState(LOADING);
  const [types, setTypes] = useState(null);
  const [filter, setFilter] = useState("");
  const [busy, setBusy] = useState(false);
  // The state is drawn a moment later; a second submit before that would make a second token.
  const sending = useRef(false);
  const [error, setError] = useState("");
  const [refused, setRefused] = useState("");
  const org = orgs.find((one) => one.id === orgID) ?? here;
  const [picked, setPicked] = useState(() => {
    const kept = ((source ?? preset)?.permissions ?? []).filter((p) => !p.resource.id || p.resource.name || p.resource.type !== "buckets");
    return new Map(kept.map(stripped).map((p) => [spell(p), p]));
  });
  const dropped = (source?.permissions ?? []).filter((p) => p.resource.id && !p.resource.name && p.resource.type === "buckets");

  useEffect(() => {
    if (isOperator) api.pages("/api/v2/users", "users").then(setUsers, () => {});
  }, []);
  useEffect(() => {
    if (shape === "All Access") api.get("/api/v2/resources").then(setTypes, () => setTypes(TYPES));
  }, []);
  useEffect(() => {
    setBuckets(LOADING);
    setConfigurations(LOADING);
    if (shape === "Read/Write" || shape === "Custom") {
      api.pages(`/api/v2/buckets?orgID=${orgID}`, "buckets").then((items) => setBuckets(listed(items, "buckets")), (failure) => setBuckets({ items: [], note: failure.message }));
    }
    if (shape === "Custom") {
      api.get(`/api/v2/telegrafs?orgID=${orgID}`).then((got) => setConfigurations(listed(got.configurations, "configurations")), (failure) => setConfigurations({ items: [], note: failure.message }));
    }
  }, [orgID]);

  const permissions = useMemo(() => {
    if (shape === "Operator") return operatorSet();
    if (shape === "All Access") return types ? allAccessSet(orgID, owner, types) : [];
    return [...picked.values()];
  }, [shape, orgID, owner, picked, types]);
  const beyond = permissions.filter((p) => !allows(hint, p));
  const names = Object.fromEntries([...buckets.items, ...configurations.items].map((one) => [one.id, one.name]));
  const suggested = shape === "All Access" ? `All Access in ${org.name}` : shape === "Operator" ? "" : describe(permissions, names);
  const expiresAt = expiry === "never" ? null : expiry === "date" ? (date ? new Date(`${date}T23:59:59`) : undefined) : new Date(Date.now() + Number(expiry) * DAY_MS);
  const ready =
    permissions.length > 0 && beyond.length === 0 && expiresAt !== undefined &&
    (shape !== "Operator" || (word === "operator" && description.trim() !== ""));

  const wish = {
    orgID, userID: owner, description: description || suggested, permissions,
    ...(expiresAt ? { expiresAt: expiresAt.toISOString() } : {}),
  };
  const ownerName = owner === me.id ? me.name : users.find((one) => one.id === owner)?.name;
  const command = commandOf(shape, wish, ownerName);

  const set = (wanted, on, dropped = []) => {
    const next = new Map(picked);
    for (const p of dropped) next.delete(spell(p));
    for (const p of wanted) {
      if (on) next.set(spell(p), p);
      else next.delete(spell(p));
    }
    setPicked(next);
  };
  const submit = async (event) => {
    event.preventDefault();
    if (!ready || sending.current) return;
    sending.current = true;
    setBusy(true);
    setError("");
    setRefused("");
    try {
      const made = await api.post("/api/v2/authorizations", wish);
      onMade({ ...made, token: "" }, made.token);
    } catch (failure) {
      setError(failure.message);
      setRefused(/permission (\S+) is not allowed/.exec(failure.message)?.[1] ?? "");
      sending.current = false;
      setBusy(false);
    }
  };
  const title = source ? `Clone “${source.description || source.id}”` : `Generate ${shape === "All Access" || shape === "Operator" ? "an" : "a"} ${shape} token`;
  const form = `generate-${shape.replace(/\W/g, "")}`;
  return (
    <Dialog
      title={title}
      wide
      onClose={onClose}
      footer={
        <>
          <button type="button" onClick={onClose}>Cancel</button>
          <button type="submit" form={form} class={shape === "Operator" ? "danger" : "primary"} disabled={!ready || busy} aria-busy={busy}>Generate</button>
        </>
      }
    >
      <form id={form} onSubmit={submit}>
        {error && <p class="alert bad" role="alert">{error}</p>}
        <p class={`alert ${shape === "Operator" ? "bad" : shape === "All Access" ? "warn" : "info"}`}>{NOTES[shape](org)}</p>
        {dropped.length > 0 && <p class="alert warn">Left out, because the bucket is gone: {dropped.map(spell).join(", ")}</p>}
        <Field label="Description" value={description} placeholder={suggested} required={shape === "Operator"} onInput={(e) => setDescription(e.currentTarget.value)} />
        <div class="grid">
          {isOperator && (
            <Field label="Organization" as="select" value={orgID} onChange={(e) => { setOrgID(e.currentTarget.value); setPicked(new Map()); }}>
              {orgs.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
            </Field>
          )}
          {isOperator && users.length > 0 && (
            <Field label="Owner" as="select" value={owner} onChange={(e) => setOwner(e.currentTarget.value)} hint="The token stops working when its owner is deactivated or deleted">
              {users.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
            </Field>
          )}
          {flags.tokenExpiry && (
            <Field
              label="Expires"
              as="select"
              value={expiry}
              onChange={(e) => setExpiry(e.currentTarget.value)}
              hint={expiresAt ? `On ${expiresAt.toLocaleDateString("en-CA")}` : expiry === "never" ? "A token that never expires should be rotated by hand" : ""}
            >
              {EXPIRIES.map(([value, text]) => <option key={value} value={value}>{text}</option>)}
            </Field>
          )}
          {expiry === "date" && <Field label="Last day" type="date" value={date} min={new Date().toLocaleDateString("en-CA")} onInput={(e) => setDate(e.currentTarget.value)} />}
        </div>
        {shape === "Custom" && !source && (
          <div class="bar">
            <span class="mute">Start from</span>
            {Object.entries(PRESETS).map(([name, of]) => (
              <button key={name} type="button" onClick={() => setPicked(new Map(of(orgID).map(([action, resource]) => [spell({ action, resource }), { action, resource }])))}>{name}</button>
            ))}
          </div>
        )}
        {shape === "Read/Write" && (
          <fieldset>
            <legend>Buckets</legend>
            <input type="search" aria-label="Filter what can be chosen" placeholder="Filter" value={filter} onInput={(e) => setFilter(e.currentTarget.value)} />
            <Each type="buckets" head="Bucket" words="buckets" items={buckets.items} note={buckets.note} orgID={orgID} picked={picked} set={set} hint={hint} filter={filter} refused={refused} />
          </fieldset>
        )}
        {shape === "Custom" && <Custom buckets={buckets} configurations={configurations} orgID={orgID} orgName={org.name} owner={owner} picked={picked} set={set} hint={hint} refused={refused} />}
        {shape === "Operator" && <Field label="Type the word operator" value={word} autocomplete="off" spellcheck={false} onInput={(e) => setWord(e.currentTarget.value)} />}
        {beyond.length > 0 && (
          <div class="alert warn">
            <p>You do not have these permissions yourself, so you cannot give them:</p>
            <ul>
              {beyond.slice(0, 5).map((p) => (
                <li key={spell(p)}>
                  <code>{spell(p)}</code>{" "}
                  {shape === "Custom" && <button type="button" onClick={() => set([p], false)}>Remove</button>}
                </li>
              ))}
            </ul>
            {beyond.length > 5 && <p>and {beyond.length - 5} more</p>}
          </div>
        )}
        <details>
          <summary>This token will be able to {abilities(shape, permissions, names, org)}</summary>
          <h4>From the command line</h4>
          {command ? <pre tabIndex={0} data-testid="command">{command}</pre> : <p class="mute">The influx command has no flags for this: neither for an end, nor for permissions on one resource other than a bucket.</p>}
          <h4>Over HTTP</h4>
          <pre tabIndex={0}>{JSON.stringify(wish, null, 2)}</pre>
        </details>
      </form>
    </Dialog>
  );
}

/** What the choice comes to, as the end of a sentence. */
function abilities(shape, permissions, names, org) {
  if (shape === "Operator") return "read and write everything, in every organization";
  if (shape === "All Access") return `read and write everything in ${org.name}`;
  const words = describe(permissions, names);
  return words ? words[0].toLowerCase() + words.slice(1) : "do nothing yet";
}
