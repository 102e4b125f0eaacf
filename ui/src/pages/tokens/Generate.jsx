import { useEffect, useMemo, useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { allAccessSet, allows, operatorSet, spell, stripped, TYPES } from "../../lib/perms.js";
import { describe } from "../../lib/tokens.js";
import { Dialog } from "../../parts/Dialog.jsx";
import { Field } from "../../parts/Field.jsx";

const DAY_MS = 86_400_000;
const EXPIRIES = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["date", "On a date…"], ["never", "Never"]];
const PRESETS = {
  "Telegraf writer": (org) => [["write", { type: "buckets", orgID: org }], ["read", { type: "telegrafs", orgID: org }]],
  "Grafana reader": (org) => [["read", { type: "buckets", orgID: org }], ["read", { type: "orgs", id: org }]],
  "Task runner": (org) => [["read", { type: "buckets", orgID: org }], ["write", { type: "buckets", orgID: org }], ["read", { type: "tasks", orgID: org }], ["write", { type: "tasks", orgID: org }]],
};
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
  const [buckets, setBuckets] = useState(null);
  const [filter, setFilter] = useState("");
  const [busy, setBusy] = useState(false);
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
    setBuckets(null);
    if (shape === "Read/Write" || shape === "Custom") {
      api.pages(`/api/v2/buckets?orgID=${orgID}`, "buckets").then(setBuckets, (failure) => setError(failure.message));
    }
  }, [orgID]);

  const permissions = useMemo(() => {
    if (shape === "Operator") return operatorSet();
    if (shape === "All Access") return allAccessSet(orgID, owner);
    return [...picked.values()];
  }, [shape, orgID, owner, picked]);
  const beyond = permissions.filter((p) => !allows(hint, p));
  const names = Object.fromEntries((buckets ?? []).map((b) => [b.id, b.name]));
  const suggested = shape === "All Access" ? `All Access in ${org.name}` : shape === "Operator" ? "" : describe(permissions, names);
  const expiresAt = expiry === "never" ? null : expiry === "date" ? (date ? new Date(`${date}T23:59:59`) : undefined) : new Date(Date.now() + Number(expiry) * DAY_MS);
  const ready =
    permissions.length > 0 && beyond.length === 0 && expiresAt !== undefined &&
    (shape !== "Operator" || (word === "operator" && description.trim() !== ""));

  const set = (wanted, on) => {
    const next = new Map(picked);
    for (const p of wanted) {
      if (on) next.set(spell(p), p);
      else next.delete(spell(p));
    }
    setPicked(next);
  };
  const submit = async (event) => {
    event.preventDefault();
    if (!ready || busy) return;
    setBusy(true);
    setError("");
    setRefused("");
    try {
      const made = await api.post("/api/v2/authorizations", {
        orgID, userID: owner, description: description || suggested, permissions,
        ...(expiresAt ? { expiresAt: expiresAt.toISOString() } : {}),
      });
      onMade({ ...made, token: "" }, made.token);
    } catch (failure) {
      setError(failure.message);
      setRefused(/permission (\S+) is not allowed/.exec(failure.message)?.[1] ?? "");
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
        {(shape === "Read/Write" || shape === "Custom") && (
          <Buckets buckets={buckets} orgID={orgID} picked={picked} set={set} hint={hint} filter={filter} setFilter={setFilter} refused={refused} />
        )}
        {shape === "Custom" && <Types orgID={orgID} orgName={org.name} owner={owner} picked={picked} set={set} hint={hint} filter={filter} refused={refused} />}
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
          <pre tabIndex={0}>{JSON.stringify({ orgID, description: description || suggested, permissions }, null, 2)}</pre>
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

/** One box of a grid: a permission, on or off; denied where a wider one holds or the caller lacks it. */
function Box({ label, wanted, picked, set, hint, covered, refused }) {
  const lacking = !allows(hint, wanted);
  const name = spell(wanted);
  return (
    <td class={`narrow${refused === name ? " refused" : ""}`}>
      <input
        type="checkbox"
        aria-label={label}
        title={lacking ? `needs ${name}` : undefined}
        disabled={lacking || covered}
        checked={covered || picked.has(name)}
        onChange={(e) => set([wanted], e.currentTarget.checked)}
      />
    </td>
  );
}

function Buckets({ buckets, orgID, picked, set, hint, filter, setFilter, refused }) {
  const listed = (buckets ?? []).filter((b) => b.name.toLowerCase().includes(filter.toLowerCase()));
  const all = (action) => ({ action, resource: { type: "buckets", orgID } });
  const one = (action, b) => ({ action, resource: { type: "buckets", orgID, id: b.id } });
  const mine = (action) => listed.map((b) => one(action, b)).filter((p) => allows(hint, p));
  return (
    <fieldset>
      <legend>Buckets</legend>
      <input type="search" aria-label="Filter what can be chosen" placeholder="Filter" value={filter} onInput={(e) => setFilter(e.currentTarget.value)} />
      <div class="grid-box" tabIndex={0} role="region" aria-label="Buckets to choose">
        <table class="grid-table">
          <thead><tr><th scope="col">Bucket</th><th scope="col" class="narrow">Read</th><th scope="col" class="narrow">Write</th></tr></thead>
          <tbody>
            <tr>
              <th scope="row">All buckets, including future ones</th>
              {["read", "write"].map((action) => <Box key={action} label={`${action} all buckets, including future ones`} wanted={all(action)} picked={picked} set={set} hint={hint} refused={refused} />)}
            </tr>
            <tr>
              <th scope="row">All listed</th>
              {["read", "write"].map((action) => {
                const wanted = mine(action);
                const on = wanted.filter((p) => picked.has(spell(p))).length;
                return (
                  <td class="narrow" key={action}>
                    <input
                      type="checkbox"
                      aria-label={`${action} all listed buckets`}
                      disabled={picked.has(spell(all(action))) || wanted.length === 0}
                      checked={wanted.length > 0 && on === wanted.length}
                      ref={(e) => {
                        if (e) e.indeterminate = on > 0 && on < wanted.length;
                      }}
                      onChange={() => set(wanted, on !== wanted.length)}
                    />
                  </td>
                );
              })}
            </tr>
            {listed.map((b) => (
              <tr key={b.id}>
                <th scope="row">{b.name} {b.type === "system" && <span class="badge">system</span>}</th>
                {["read", "write"].map((action) => (
                  <Box key={action} label={`${action} ${b.name}`} wanted={one(action, b)} picked={picked} set={set} hint={hint} covered={picked.has(spell(all(action)))} refused={refused} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        {buckets === null && <p class="mute">Loading buckets…</p>}
        {buckets?.length === 0 && <p class="mute">No buckets you can see</p>}
      </div>
    </fieldset>
  );
}

function Types({ orgID, orgName, owner, picked, set, hint, filter, refused }) {
  const rows = TYPES.filter((type) => type !== "buckets" && type.toLowerCase().includes(filter.toLowerCase())).map((type) => {
    if (type === "orgs") return [type, `this organization, ${orgName}`, { type, id: orgID }];
    if (type === "users") return [type, "the owner's own account", { type, id: owner }];
    return [type, `all in ${orgName}`, { type, orgID }];
  });
  return (
    <fieldset>
      <legend>Everything else</legend>
      <div class="grid-box" tabIndex={0} role="region" aria-label="Resource types to choose">
        <table class="grid-table">
          <thead><tr><th scope="col">Resource</th><th scope="col" class="narrow">Read</th><th scope="col" class="narrow">Write</th></tr></thead>
          <tbody>
            {rows.map(([type, reach, resource]) => (
              <tr key={type}>
                <th scope="row">{type} <span class="mute">{reach}</span></th>
                {["read", "write"].map((action) => (
                  <Box key={action} label={`${action} ${type}`} wanted={{ action, resource }} picked={picked} set={set} hint={hint} refused={refused} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </fieldset>
  );
}
