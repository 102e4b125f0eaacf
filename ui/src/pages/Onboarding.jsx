import { useRef, useState } from "preact/hooks";
import { usePage } from "../context.js";
import { parseDuration } from "../lib/time.js";
import { Field } from "../parts/Field.jsx";
import { Secret } from "../parts/Secret.jsx";

const WEAK = 32;
const LOOK = "Some fields need another look:";
const bytes = (text) => new TextEncoder().encode(text).length;

/** What is wrong with the form, by field. The server checks again. */
export function problems({ username, password, again, org, bucket, retention, custom }) {
  const found = {};
  if (!username) found.username = "A username is needed";
  else if (username.includes(":")) found.username = "A username must not contain a colon";
  if (bytes(password) < 8 || bytes(password) > 72) found.password = "A password has 8 to 72 bytes";
  if (again !== password) found.again = "The passwords differ";
  if (!org) found.org = "An organization is needed";
  if (!bucket) found.bucket = "A bucket is needed";
  else if (bucket.startsWith("_")) found.bucket = "A bucket's name must not start with an underscore";
  else if (bucket.includes('"')) found.bucket = "A bucket's name must not contain quotation marks";
  if (retention === "custom") {
    const seconds = parseDuration(custom);
    if (seconds === null || seconds < 3600) found.custom = "A duration of at least 1h, for example 36h or 90d";
  }
  return found;
}

export function Onboarding({ onFinished }) {
  const { api, signedIn, navigate, warning, setWarning } = usePage();
  const [form, setForm] = useState({ username: "", password: "", again: "", org: "", bucket: "", retention: "0", custom: "", token: "" });
  const [touched, setTouched] = useState({});
  const [error, setError] = useState("");
  const [taken, setTaken] = useState(false);
  const [busy, setBusy] = useState(false);
  const [made, setMade] = useState(null);
  const [kept, setKept] = useState(false);
  const summary = useRef(null);
  const wrong = problems(form);
  const bind = (name) => ({
    value: form[name],
    onInput: (e) => setForm({ ...form, [name]: e.currentTarget.value }),
    onBlur: () => setTouched({ ...touched, [name]: true }),
    error: touched[name] ? wrong[name] : undefined,
  });

  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setTouched({ username: true, password: true, again: true, org: true, bucket: true, custom: true });
    if (Object.keys(wrong).length) {
      setError(LOOK);
      setTimeout(() => summary.current?.focus());
      return;
    }
    setBusy(true);
    setError("");
    const seconds = form.retention === "custom" ? parseDuration(form.custom) : Number(form.retention);
    try {
      const answer = await api.post("/api/v2/setup", {
        username: form.username, password: form.password, org: form.org, bucket: form.bucket,
        retentionPeriodSeconds: seconds, ...(form.token ? { token: form.token } : {}),
      });
      // Nobody is signed in yet: the new token itself asks what the server makes of tokens.
      const flags = await api.get("/api/v2/flags", { headers: { Authorization: `Token ${answer.auth.token}` } }).catch(() => ({}));
      setMade({ token: answer.auth.token, org: answer.org, bucket: answer.bucket.name, hashed: flags.hashedTokens !== false });
    } catch (failure) {
      if (failure.status === 422 && failure.code === "conflict") setTaken(true);
      else setError(failure.message);
      setTimeout(() => summary.current?.focus());
    }
    setBusy(false);
  };
  const finish = async () => {
    const { org } = made;
    try {
      await api.signIn(form.username, form.password);
      setForm({ ...form, password: "", again: "", token: "" });
      setMade(null);
      setWarning("");
      navigate(`/orgs/${org.id}/load-data/tokens?welcome=1`, { replace: true });
      await signedIn();
    } catch {
      setMade(null);
      onFinished();
    }
  };

  if (taken) {
    return (
      <main class="center">
        <div class="card">
          <h1 tabIndex={-1}>Already set up</h1>
          <p>Somebody else has set this server up in the meantime.</p>
          <button type="button" class="primary" onClick={() => { onFinished(); navigate("/signin", { replace: true }); }}>Sign in</button>
        </div>
      </main>
    );
  }
  if (made) {
    return (
      <main class="center">
        <div class="card wide">
          <h1 tabIndex={-1}>Your operator token</h1>
          <p class="alert warn">It gives full access to every organization and resource. Keep it in a vault; for daily work create an All Access token.</p>
          {warning && <p class="alert bad" role="alert">The server warns: {warning}. Generate an operator token after signing in, and delete this one.</p>}
          <Secret value={made.token} org={made.org.name} bucket={made.bucket} onKept={setKept} hashed={made.hashed} />
          <button type="button" class="primary full" aria-disabled={!kept} aria-describedby="keep-first" onClick={() => kept && finish()}>Continue</button>
          <p class="hint" id="keep-first">{kept ? "" : "Copy the token, or tick that you have stored it, to continue."}</p>
          <p class="hint">Should you reload this page the token is gone; {form.username} can sign in and create another.</p>
        </div>
      </main>
    );
  }
  return (
    <main class="center">
      <div class="card wide">
        <img src="/favicon.svg" alt="" width="40" height="40" />
        <h1 tabIndex={-1}>Set up fluxkeep</h1>
        <form onSubmit={submit} noValidate>
          {error && (error !== LOOK || Object.keys(wrong).length > 0) && (
            <div class="alert bad" role="alert" tabIndex={-1} ref={summary}>
              {error}
              {Object.keys(wrong).length > 0 && <ul>{Object.values(wrong).map((text) => <li key={text}>{text}</li>)}</ul>}
            </div>
          )}
          <div class="grid">
            <Field label="Username" autocomplete="username" spellcheck={false} autocapitalize="none" hint="No colon" {...bind("username")} />
            <Field label="Password" type="password" autocomplete="new-password" hint="8 to 72 bytes" {...bind("password")} />
            <Field label="Password again" type="password" autocomplete="new-password" {...bind("again")} />
            <Field label="Organization" hint="Your team or home" {...bind("org")} />
            <Field label="First bucket" hint="Where points are kept" {...bind("bucket")} />
            <Field label="Keep data" as="select" {...bind("retention")}>
              <option value="0">Forever</option>
              <option value="604800">7 days</option>
              <option value="2592000">30 days</option>
              <option value="custom">Custom…</option>
            </Field>
            {form.retention === "custom" && <Field label="Custom retention" placeholder="90d" {...bind("custom")} />}
          </div>
          <details>
            <summary>Advanced</summary>
            <Field
              label="Operator token of your own"
              hint="Generated when left empty, which is best"
              warning={form.token && form.token.length < WEAK ? "Under 32 characters: who steals the database could find it by guessing." : ""}
              autocomplete="off"
              spellcheck={false}
              {...bind("token")}
            />
          </details>
          <button type="submit" class="primary full" aria-busy={busy} disabled={busy}>{busy ? "Setting up…" : "Set up"}</button>
        </form>
      </div>
    </main>
  );
}
