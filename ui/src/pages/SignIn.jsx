import { useRef, useState } from "preact/hooks";
import { usePage } from "../context.js";
import { Field } from "../parts/Field.jsx";

export function SignIn() {
  const { signedIn, query } = usePage();
  return (
    <main class="center">
      <div class="card">
        <img src="/favicon.svg" alt="" width="40" height="40" />
        <h1 tabIndex={-1}>Sign in to fluxkeep</h1>
        {query.setup === "done" && (
          <p class="alert info" role="note">This server is set up. Its operator token was shown once; if nobody kept it, sign in as the user who was made then and generate another one under API Tokens.</p>
        )}
        <SignInForm onDone={signedIn} />
        <p class="hint">
          Lost your password? On the server, with influxd stopped, run <code>influxd recovery user update</code>.
        </p>
      </div>
    </main>
  );
}

/** User name and password; the password is forgotten as soon as it was sent. */
export function SignInForm({ user = "", onDone }) {
  const { api } = usePage();
  const [name, setName] = useState(user);
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState(false);
  const [caps, setCaps] = useState(false);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const field = useRef(null);
  // The state is drawn a moment later; a second submit may come before that.
  const sending = useRef(false);
  const submit = async (event) => {
    event.preventDefault();
    if (sending.current) return;
    sending.current = true;
    setBusy(true);
    setError("");
    try {
      await api.signIn(name, password);
      setPassword("");
      await onDone();
    } catch (failure) {
      setPassword("");
      if (failure.status === 401) setError("Wrong username or password");
      else setError(failure.message);
      field.current?.querySelector('input[name="password"]')?.focus();
    }
    sending.current = false;
    setBusy(false);
  };
  return (
    <form onSubmit={submit} ref={field}>
      {error && <p class="alert bad" role="alert">{error}</p>}
      <Field label="Username" name="username" autocomplete="username" required value={name} onInput={(e) => setName(e.currentTarget.value)} spellcheck={false} autocapitalize="none" />
      <Field
        label="Password"
        name="password"
        type={shown ? "text" : "password"}
        autocomplete="current-password"
        required
        value={password}
        onInput={(e) => setPassword(e.currentTarget.value)}
        onKeyUp={(e) => setCaps(e.getModifierState?.("CapsLock") ?? false)}
        hint={caps ? "Caps Lock is on" : undefined}
        trailing={<button type="button" aria-pressed={shown} onClick={() => setShown(!shown)}>{shown ? "Hide" : "Show"}</button>}
      />
      <button type="submit" class="primary full" aria-busy={busy} disabled={busy}>{busy ? "Signing in…" : "Sign in"}</button>
    </form>
  );
}
