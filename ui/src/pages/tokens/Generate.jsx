import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { allAccessSet, allows, isGone, operatorSet, spell, stripped, TYPES } from "../../lib/perms.js";
import { commandOf, describe } from "../../lib/tokens.js";
import { Combobox } from "../../parts/Combobox.jsx";
import { Dialog } from "../../parts/Dialog.jsx";
import { Field } from "../../parts/Field.jsx";
import { Choice } from "./Choice.jsx";

const DAY_MS = 86_400_000;
const EXPIRIES = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["date", "On a date…"], ["never", "Never"]];
const PRESETS = {
  "Telegraf writer": (org) => [["write", { type: "buckets", orgID: org }], ["read", { type: "telegrafs", orgID: org }]],
  "Grafana reader": (org) => [["read", { type: "buckets", orgID: org }], ["read", { type: "orgs", id: org }]],
  "Task runner": (org) => [["read", { type: "buckets", orgID: org }], ["write", { type: "buckets", orgID: org }], ["read", { type: "tasks", orgID: org }], ["write", { type: "tasks", orgID: org }]],
};
// Types in words, where the type's own name says it badly.
const TITLES = {
  authorizations: "API tokens", telegrafs: "Telegraf configurations", notificationRules: "Notification rules",
  notificationEndpoints: "Notification endpoints", dbrp: "Database mappings", remotes: "Remote connections",
};
// Where single resources of a type are listed, and what they are called there.
const LISTS = {
  buckets: (api, org) => api.pages(`/api/v2/buckets?orgID=${org}`, "buckets"),
  telegrafs: (api, org) => api.get(`/api/v2/telegrafs?orgID=${org}`).then((got) => got.configurations),
  dashboards: (api, org) => api.pages(`/api/v2/dashboards?orgID=${org}`, "dashboards"),
  labels: (api, org) => api.get(`/api/v2/labels?orgID=${org}`).then((got) => got.labels),
  variables: (api, org) => api.get(`/api/v2/variables?orgID=${org}`).then((got) => got.variables),
};
// Buckets and Telegraf configurations come first, then every other type.
const ORDER = ["buckets", "telegrafs", ...TYPES.filter((type) => type !== "buckets" && type !== "telegrafs")];
const wordsOf = (type) => (TITLES[type] ? TITLES[type].replace(/^[A-Z](?![A-Z])(?!elegraf)/, (c) => c.toLowerCase()) : type);

function groupsOf(types, lists, org, owner, ownerName) {
  return types.map((type) => {
    const title = TITLES[type] ?? type[0].toUpperCase() + type.slice(1);
    if (type === "orgs") return { type, title: "This organization", words: "this organization", reach: org.name, wide: { type, id: org.id } };
    if (type === "users") return { type, title: "The owner's account", words: "the owner's account", reach: ownerName ?? "", wide: { type, id: owner } };
    const { items = [], note = "Loading…" } = lists[type] ?? {};
    return { type, title, words: wordsOf(type), reach: "all, including future ones", wide: { type, orgID: org.id }, ...(LISTS[type] ? { items, note } : {}) };
  });
}

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
  // Who may give tokens to others keeps the owner of what is cloned.
  const [owner, setOwner] = useState((isOperator && source?.userID) || me.id);
  const [description, setDescription] = useState(source ? `${source.description || source.id} (copy)` : "");
  const [expiry, setExpiry] = useState(shape === "Operator" ? "30" : "never");
  const [date, setDate] = useState("");
  const [word, setWord] = useState("");
  const [users, setUsers] = useState([]);
  const [lists, setLists] = useState({});
  const asked = useRef(new Set());
  const [types, setTypes] = useState(null);
  const [busy, setBusy] = useState(false);
  // The state is drawn a moment later; a second submit before that would make a second token.
  const sending = useRef(false);
  const [error, setError] = useState("");
  const [refused, setRefused] = useState("");
  const org = orgs.find((one) => one.id === orgID) ?? here;
  const [picked, setPicked] = useState(() => new Map(((source ?? preset)?.permissions ?? []).filter((p) => !isGone(p)).map(stripped).map((p) => [spell(p), p])));
  // What the server names no more, and what is missing in a list that was read.
  const isMissing = ({ resource: { type, id } }) => Boolean(id && lists[type]?.read && !lists[type].items.some((item) => item.id === id));
  const dropped = source ? source.permissions.filter((p) => isGone(p) || (p.resource.orgID === orgID && isMissing(p))) : [];

  useEffect(() => {
    if (isOperator) api.pages("/api/v2/users", "users").then(setUsers, () => {});
  }, []);
  useEffect(() => {
    if (shape === "All Access") api.get("/api/v2/resources").then(setTypes, () => setTypes(TYPES));
  }, []);
  const need = (wanted) => {
    for (const type of wanted) {
      if (!LISTS[type] || asked.current.has(`${orgID} ${type}`)) continue;
      asked.current.add(`${orgID} ${type}`);
      const keep = (list) => setLists((old) => ({ ...old, [type]: list }));
      LISTS[type](api, orgID).then(
        (items) => keep({ items, read: true, note: items.length ? "" : `No ${wordsOf(type)} you can see` }),
        (failure) => keep({ items: [], note: failure.message }),
      );
    }
  };
  const choosing = shape === "Read/Write" || shape === "Custom";
  useEffect(() => {
    if (choosing) need(["buckets", ...(source ? source.permissions.filter((p) => p.resource.id).map((p) => p.resource.type) : [])]);
  }, [orgID]);

  const permissions = useMemo(() => {
    if (shape === "Operator") return operatorSet();
    if (shape === "All Access") return types ? allAccessSet(orgID, owner, types) : [];
    return [...picked.values()].filter((p) => !(source && isMissing(p)));
  }, [shape, orgID, owner, picked, types, lists]);
  const beyond = permissions.filter((p) => !allows(hint, p));
  const names = Object.fromEntries([...Object.values(lists).flatMap((list) => list.items), org, ...users, me].map((one) => [one.id, one.name]));
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
        {dropped.length > 0 && (
          <div class="alert warn">
            <p>Left out, because they no longer exist:</p>
            <ul>{dropped.map((p) => <li key={spell(p)}><code>{spell(p)}</code></li>)}</ul>
          </div>
        )}
        <Field label="Description" value={description} placeholder={suggested} required={shape === "Operator"} onInput={(e) => setDescription(e.currentTarget.value)} />
        <div class="grid">
          {isOperator && (
            <Combobox
              label="Organization"
              options={[...orgs].sort((a, b) => a.name.localeCompare(b.name)).map((one) => ({ value: one.id, text: one.name }))}
              value={orgID}
              onPick={(id) => {
                if (id === orgID) return;
                setOrgID(id);
                setLists({});
                setPicked(new Map());
              }}
            />
          )}
          {isOperator && (
            <Combobox
              label="Owner"
              options={(users.length ? users : [me]).map((one) => ({ value: one.id, text: one.name, note: one.status === "inactive" ? "inactive" : "" }))}
              value={owner}
              onPick={setOwner}
              hint="Deactivating or deleting the owner stops the token"
            />
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
        {choosing && (
          <Choice
            key={orgID}
            legend={shape === "Custom" ? "Permissions" : "Buckets"}
            groups={groupsOf(shape === "Custom" ? ORDER : ["buckets"], lists, org, owner, ownerName)}
            picked={picked}
            set={set}
            hint={hint}
            refused={refused}
            onNeed={need}
          />
        )}
        {shape === "Operator" && <Field label="Type the word operator" value={word} autocomplete="off" spellcheck={false} onInput={(e) => setWord(e.currentTarget.value)} />}
        {beyond.length > 0 && (
          <div class="alert warn">
            <p>You do not have these permissions yourself, so you cannot give them:</p>
            <ul>
              {beyond.slice(0, 5).map((p) => (
                <li key={spell(p)}>
                  <code>{spell(p)}</code>{" "}
                  {choosing && <button type="button" aria-label={`Remove ${spell(p)}`} onClick={() => set([p], false)}>Remove</button>}
                </li>
              ))}
            </ul>
            {beyond.length > 5 && <p>and {beyond.length - 5} more</p>}
            {choosing && beyond.length > 1 && <button type="button" onClick={() => set(beyond, false)}>Remove all {beyond.length}</button>}
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
