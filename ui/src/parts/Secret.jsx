import { useEffect, useRef, useState } from "preact/hooks";
import { Check } from "./Field.jsx";
import { copyText } from "./Copy.jsx";
import { Icon } from "./Icon.jsx";

const SNIPPETS = {
  Environment: (token, org) => `export INFLUX_HOST=${location.origin}\nexport INFLUX_ORG='${quote(org)}'\nexport INFLUX_TOKEN='${token}'`,
  CLI: (token, org) => `influx config create --config-name fluxkeep --host-url ${location.origin} \\\n  --org '${quote(org)}' --token '${token}' --active`,
  Telegraf: (token, org, bucket) =>
    `[[outputs.influxdb_v2]]\n  urls = ["${location.origin}"]\n  token = "${token}"\n  organization = ${JSON.stringify(org)}\n  bucket = ${JSON.stringify(bucket)}`,
  curl: (token, org) =>
    `curl '${location.origin}/api/v2/buckets?org=${encodeURIComponent(org)}' \\\n  --header 'Authorization: Token ${token}'`,
  Python: (token, org) =>
    `from influxdb_client import InfluxDBClient\n\nclient = InfluxDBClient(url="${location.origin}",\n                        token="${token}", org=${JSON.stringify(org)})`,
};

const quote = (text) => text.replace(/'/g, "'\\''");

/** The one time that a secret is shown. `onKept(true)` once it was copied or said to be stored. */
export function Secret({ value, org, bucket = "", onKept, hashed = true }) {
  const box = useRef(null);
  const [said, setSaid] = useState("");
  const [kept, setKept] = useState(false);
  const [tab, setTab] = useState("Environment");
  const [stored, setStored] = useState(false);
  useEffect(() => {
    const warn = (event) => {
      if (!stored && !kept) event.preventDefault();
    };
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [stored, kept]);
  const copy = async () => {
    const done = await copyText(value, box.current);
    setKept(done);
    setSaid(done ? "Copied to the clipboard" : "The browser did not let us copy. Press Ctrl+C.");
    if (!done) box.current.focus();
    if (done) onKept(true);
  };
  const names = Object.keys(SNIPPETS);
  return (
    <div class="secret">
      <label for="secret-value">Token</label>
      <div class="field-row">
        <textarea id="secret-value" ref={box} data-first class="secret-box" rows={2} readOnly value={value} spellcheck={false} autocomplete="off" onFocus={(e) => e.currentTarget.select()} />
        <button type="button" class="primary" onClick={copy}><Icon name={kept ? "check" : "copy"} /> Copy</button>
      </div>
      <p role="status" class={kept ? "ok" : "warn"}>{said}</p>
      <p>{hashed ? "You will not see it again; the server keeps only a hash." : "The server keeps this token in clear; hashing is off."}</p>
      <div role="tablist" aria-label="Ways to use it" class="tabs">
        {names.map((name, i) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`snippet-${name}`}
            aria-selected={tab === name}
            aria-controls="snippet"
            tabIndex={tab === name ? 0 : -1}
            onClick={() => setTab(name)}
            onKeyDown={(event) => {
              const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
              if (!step) return;
              const next = names[(i + step + names.length) % names.length];
              setTab(next);
              document.getElementById(`snippet-${next}`).focus();
            }}
          >
            {name}
          </button>
        ))}
      </div>
      <pre id="snippet" role="tabpanel" aria-labelledby={`snippet-${tab}`} tabIndex={0}>{SNIPPETS[tab](value, org, bucket)}</pre>
      <Check
        label="I have stored this token"
        checked={stored}
        onChange={(e) => {
          setStored(e.currentTarget.checked);
          onKept(e.currentTarget.checked || kept);
        }}
      />
    </div>
  );
}
