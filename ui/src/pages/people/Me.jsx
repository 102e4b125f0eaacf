import { useState } from "preact/hooks";
import { usePage } from "../../context.js";
import { basic } from "../../lib/api.js";
import { spell } from "../../lib/perms.js";
import { Copy } from "../../parts/Copy.jsx";
import { Field } from "../../parts/Field.jsx";
import { Link } from "../Shell.jsx";

export function Me() {
  const { api, me, orgs, hint, toast, signedIn } = usePage();
  const [form, setForm] = useState({ old: "", fresh: "", again: "" });
  const [error, setError] = useState("");
  const change = (name) => (e) => setForm({ ...form, [name]: e.currentTarget.value });
  const submit = async (event) => {
    event.preventDefault();
    setError("");
    if (form.fresh !== form.again) {
      setError("The new passwords differ");
      return;
    }
    try {
      await api.put("/api/v2/me/password", { password: form.fresh }, { headers: { Authorization: basic(me.name, form.old) } });
      // The change ends all sessions, this one too: sign in with the new password at once.
      await api.signIn(me.name, form.fresh);
      setForm({ old: "", fresh: "", again: "" });
      await signedIn();
      toast("Password changed; other sessions have ended");
    } catch (failure) {
      setError(failure.message);
    }
  };
  const spelled = [...new Set(hint.map(spell))].sort();
  return (
    <>
      <section class="panel" aria-label="Account">
        <dl class="facts">
          <div><dt>Name</dt><dd>{me.name}</dd></div>
          <div><dt>Id</dt><dd class="mono">{me.id} <Copy text={me.id} label="Copy id" /></dd></div>
          <div><dt>Organizations</dt><dd>{orgs.length ? orgs.map((o, i) => <>{i > 0 && ", "}<Link to={`/orgs/${o.id}/load-data/tokens`}>{o.name}</Link></>) : "none"}</dd></div>
        </dl>
      </section>
      <section class="panel" aria-label="Change password">
        <h2>Change password</h2>
        <p class="hint">8 to 72 bytes. All your sessions end; your tokens go on working.</p>
        {error && <p class="alert bad" role="alert">{error}</p>}
        <form onSubmit={submit}>
          <input class="visually-hidden" type="text" name="username" autocomplete="username" value={me.name} readOnly tabIndex={-1} aria-hidden="true" />
          <Field label="Current password" type="password" required autocomplete="current-password" value={form.old} onInput={change("old")} />
          <Field label="New password" type="password" required autocomplete="new-password" value={form.fresh} onInput={change("fresh")} />
          <Field label="New password again" type="password" required autocomplete="new-password" value={form.again} onInput={change("again")} />
          <button type="submit" class="primary">Change password</button>
        </form>
      </section>
      <section class="panel" aria-label="Permissions">
        <h2>What you may do</h2>
        <details>
          <summary>{spelled.length} permissions</summary>
          <ul>{spelled.map((text) => <li key={text}><code>{text}</code></li>)}</ul>
        </details>
      </section>
    </>
  );
}
