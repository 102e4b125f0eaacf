import { useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { isGone, spell, stripped } from "../../lib/perms.js";
import { absolute, duration, relative } from "../../lib/time.js";
import { Copy } from "../../parts/Copy.jsx";
import { Confirm, Dialog } from "../../parts/Dialog.jsx";
import { Action, Field } from "../../parts/Field.jsx";
import { Secret } from "../../parts/Secret.jsx";
import { Icon } from "../../parts/Icon.jsx";
import { Status } from "./Status.jsx";

/** The secret, once. Closing asks until it was copied or said to be stored. */
export function RevealDialog({ secret, token, onClose }) {
  const { flags } = usePage();
  const [kept, setKept] = useState(false);
  const [asking, setAsking] = useState(false);
  const close = () => (kept ? onClose() : setAsking(true));
  return (
    <Dialog
      title="Copy your API token"
      wide
      onClose={close}
      footer={
        asking && !kept ? (
          <>
            <span role="alert" class="warn">This token cannot be shown again. Close anyway?</span>
            <button type="button" onClick={() => setAsking(false)}>Go back</button>
            <button type="button" class="danger" onClick={onClose}>Close without keeping it</button>
          </>
        ) : (
          <button type="button" onClick={close}>Close</button>
        )
      }
    >
      <Secret value={secret} org={token.org ?? ""} bucket={token.permissions?.find((p) => p.resource.type === "buckets" && p.action === "write" && p.resource.name)?.resource.name} onKept={setKept} hashed={flags.hashedTokens !== false} />
    </Dialog>
  );
}

export function DeleteDialog({ token, last, onClose, onDone }) {
  const { api, toast } = usePage();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [value, setValue] = useState("");
  const remove = async () => {
    setBusy(true);
    try {
      await api.delete(`/api/v2/authorizations/${token.id}`);
      toast("Token deleted");
      onDone();
    } catch (failure) {
      if (failure.kind === "gone") {
        toast("This token no longer exists");
        onDone();
        return;
      }
      setError(failure.message);
      setBusy(false);
    }
  };
  return (
    <Confirm title="Delete this token?" action="Delete token" onConfirm={remove} onClose={onClose} busy={busy} error={error} typed={token.kind === "Operator" ? token.description || token.id : undefined} value={value} onValue={setValue}>
      <p><strong>{token.description || token.id}</strong> of {token.user}, last used {token.lastUsedAt ? relative(token.lastUsedAt) : "never"}.</p>
      <p>Whoever uses it is refused from the next request on. This cannot be undone.</p>
      {last && (
        <p class="alert warn">
          This is the last operator token that you can see. Without one, the way back is on the server, with influxd stopped: <code>influxd recovery auth create-operator</code>.
        </p>
      )}
    </Confirm>
  );
}

/** Before a token is switched off on which much depends. */
export function PowerDialog({ token, onClose, onDone }) {
  return (
    <Confirm title="Deactivate this token?" action="Deactivate" onConfirm={onDone} onClose={onClose}>
      <p><strong>{token.description || token.id}</strong> stops working at once.</p>
      <p>{token.kind === "Operator" ? "It is an operator token." : "It is your own, and without it you may do less here."}</p>
    </Confirm>
  );
}

/** A new secret for the same token: at once, or with time for the old one's users to move. */
export function RenewDialog({ token, how, onClose, onMade, onGone }) {
  const { api } = usePage();
  const [grace, setGrace] = useState("3600");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const rotate = how === "rotate";
  const go = async () => {
    setBusy(true);
    setError("");
    try {
      const made = await api.renewToken(token.id, how, rotate ? { gracePeriodSeconds: Number(grace) } : {});
      onMade({ ...made, token: "" }, made.token);
    } catch (failure) {
      if (failure.kind === "gone") {
        onGone();
        return;
      }
      setError(failure.message);
      setBusy(false);
    }
  };
  return (
    <Confirm title={rotate ? "Rotate the secret?" : "Regenerate the secret?"} action={rotate ? "Rotate" : "Regenerate"} tone={rotate ? "primary" : "danger"} onConfirm={go} onClose={onClose} busy={busy} error={error}>
      <p><strong>{token.description || token.id}</strong> keeps its id and permissions and gets a new secret.</p>
      {rotate ? (
        <>
          <p>The new secret works at once. The old one goes on working until the new one is first used, and for this long after it:</p>
          <Field label="Grace period" as="select" value={grace} onChange={(e) => setGrace(e.currentTarget.value)}>
            <option value="300">5 minutes</option>
            <option value="3600">1 hour</option>
            <option value="86400">1 day</option>
            <option value="604800">7 days</option>
          </Field>
        </>
      ) : (
        <p class="alert warn">The current secret stops working at once.</p>
      )}
    </Confirm>
  );
}

const VERBS = { activate: "Activate", deactivate: "Deactivate", delete: "Delete" };

/** The same for many tokens: at most four requests in flight, failures listed, to be tried again. */
export function BulkDialog({ how, tokens, run, onOne, onClose }) {
  const { api } = usePage();
  const [done, setDone] = useState(0);
  const [left, setLeft] = useState(tokens);
  const [failed, setFailed] = useState([]);
  const [busy, setBusy] = useState(false);
  const [over, setOver] = useState(false);
  const go = async () => {
    setBusy(true);
    setDone(0);
    const results = await run(
      left,
      async (token) => {
        if (how === "delete") {
          await api.delete(`/api/v2/authorizations/${token.id}`).catch((error) => {
            if (error.kind !== "gone") throw error;
          });
          onOne(token);
        } else onOne(token, await api.patchToken(token.id, { status: how === "activate" ? "active" : "inactive" }));
      },
      setDone,
    );
    const bad = results.filter((r) => r.error);
    setFailed(bad);
    setLeft(bad.map((r) => r.item));
    setBusy(false);
    setOver(bad.length === 0);
    if (bad.length === 0) onClose();
  };
  return (
    <Dialog
      title={`${VERBS[how]} ${tokens.length} tokens`}
      onClose={onClose}
      initialFocus="[data-cancel]"
      footer={
        <>
          <button type="button" data-cancel onClick={onClose}>{failed.length ? "Close" : "Cancel"}</button>
          <button type="button" class={how === "delete" ? "danger" : "primary"} aria-busy={busy} disabled={busy || over} onClick={go}>
            {failed.length ? "Retry failed" : `${VERBS[how]} tokens`}
          </button>
        </>
      }
    >
      {failed.length === 0 && <p>{how === "delete" ? "Whoever uses them is refused from the next request on. This cannot be undone." : `${tokens.length} tokens will be ${how}d.`}</p>}
      {busy && <progress value={done} max={left.length} aria-label="Progress" />}
      {failed.length > 0 && (
        <div class="alert bad" role="alert">
          <p>{failed.length} of {tokens.length} failed:</p>
          <ul>{failed.map(({ item, error }) => <li key={item.id}>{item.description || item.id}: {error.message}</li>)}</ul>
        </div>
      )}
    </Dialog>
  );
}

/** What still becomes of the old secret. */
function rotationOf({ gracePeriodSeconds, previousValidUntil }, tz) {
  if (previousValidUntil) return `The old secret works until ${absolute(previousValidUntil, tz)}`;
  return `The old secret works until the new one is first used, and ${duration(gracePeriodSeconds)} after it`;
}

/** All about one token, beside the list. */
export function Details({ token, reason, actions, trouble, onToggle, onClose, onChanged, onGone }) {
  const { api, tz, toast } = usePage();
  const [raw, setRaw] = useState(false);
  const [error, setError] = useState("");
  // A toast lies behind the panel, where nobody is told of it.
  const [said, setSaid] = useState("");
  // The permission that is about to be taken away: it cannot be given back, so it is asked once more.
  const [asking, setAsking] = useState("");
  const groups = new Map();
  for (const p of token.permissions) groups.set(p.resource.type, [...(groups.get(p.resource.type) ?? []), p]);
  const json = JSON.stringify(token.permissions.map(stripped), null, 2);
  const narrow = async (gone) => {
    setError("");
    setAsking("");
    try {
      const kept = token.permissions.filter((p) => p !== gone).map(stripped);
      onChanged(await api.patchToken(token.id, { permissions: kept }));
      toast("Permission taken away");
      setSaid(`${spell(gone)} was taken away`);
    } catch (failure) {
      if (failure.kind === "gone") {
        onGone();
        return;
      }
      setError(failure.message);
    }
  };
  const line = (label, text) => (
    <div>
      <dt>{label}</dt>
      <dd>{text}</dd>
    </div>
  );
  return (
    <Dialog
      title={token.description || "(no description)"}
      side
      onClose={onClose}
      initialFocus="h2"
      footer={actions.map(({ label, onSelect, danger, reason: why }) => (
        <Action key={label} class={danger ? "danger-text" : undefined} reason={why} onClick={onSelect}>{label}</Action>
      ))}
    >
      <p class="visually-hidden" role="status">{said}</p>
      {trouble && <p class="alert bad" role="alert">{trouble}</p>}
      <dl class="facts">
        {line("Id", <span class="mono">{token.id} <Copy text={token.id} label="Copy id" /></span>)}
        {line("Type", token.kind)}
        {line("Status", <Status token={token} reason={reason} onToggle={onToggle} at="panel" />)}
        {line("Owner", token.user)}
        {line("Organization", token.org)}
        {line("Created", absolute(token.createdAt, tz))}
        {line("Changed", absolute(token.updatedAt, tz))}
        {line("Last used", token.lastUsedAt ? absolute(token.lastUsedAt, tz) : "never")}
        {token.rotation && line("Rotation", rotationOf(token.rotation, tz))}
        {line("Expires", token.expiresAt ? absolute(token.expiresAt, tz) : "no expiry")}
      </dl>
      <h3>Permissions</h3>
      <p class="hint">Permissions are fixed; they can be taken away one by one, never added.</p>
      {error && <p class="alert bad" role="alert">{error}</p>}
      {[...groups].map(([type, list]) => (
        <section key={type}>
          <h4>{type}</h4>
          <ul class="perms">
            {list.map((p) => (
              <li key={spell(p)}>
                <span class="mono">{p.action}</span>
                <span class="perm">{isGone(p) ? `deleted ${p.resource.id}` : (p.resource.name ?? p.resource.id ?? (p.resource.orgID ? `all in ${p.resource.org ?? p.resource.orgID}` : "everywhere"))}</span>
                {!reason && token.permissions.length > 1 && asking !== spell(p) && <button type="button" class="icon" aria-label={`Take away ${spell(p)}`} title="Take away" onClick={() => setAsking(spell(p))}><Icon name="close" /></button>}
                {asking === spell(p) && (
                  <span class="bulk">
                    <button type="button" class="danger" ref={(e) => e?.focus()} onClick={() => narrow(p)}>Take away for good</button>
                    <button type="button" onClick={() => setAsking("")}>Keep</button>
                  </span>
                )}
              </li>
            ))}
          </ul>
        </section>
      ))}
      <div class="bar raw">
        <button type="button" aria-expanded={raw} onClick={() => setRaw(!raw)}>Permissions as JSON</button>
        <Copy text={json} label="Copy JSON" />
      </div>
      {raw && <pre tabIndex={0}>{json}</pre>}
    </Dialog>
  );
}
