import { useEffect, useState } from "preact/hooks";
import { usePage } from "../context.js";
import { operatorSet, allows } from "../lib/perms.js";
import { recall, remember } from "../lib/store.js";
import { Combobox } from "../parts/Combobox.jsx";
import { Dialog } from "../parts/Dialog.jsx";
import { Check } from "../parts/Field.jsx";
import { Menu } from "../parts/Menu.jsx";
import { Icon } from "../parts/Icon.jsx";

/** The organization that was shown last, where a page belongs to none. */
const lastOf = (orgs) => orgs.find((one) => one.id === recall("org", "")) ?? orgs[0];

/** A link that the router follows; opening it in another tab still works. */
export function Link({ to, children, ...rest }) {
  const { navigate } = usePage();
  return (
    <a
      href={to}
      onClick={(event) => {
        if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        navigate(to);
      }}
      {...rest}
    >
      {children}
    </a>
  );
}

export function Shell({ children }) {
  const page = usePage();
  const { me, orgs, org, route, navigate, theme, setTheme, tz, setTz, signOut, hint } = page;
  const [open, setOpen] = useState(false);
  const [help, setHelp] = useState(false);
  const [keys, setKeys] = useState(recall("keys", true));
  const home = org ?? lastOf(orgs);
  const isOperator = operatorSet().every((wanted) => allows(hint, wanted));
  const base = home && `/orgs/${home.id}`;
  const groups = [
    home && ["Load Data", [["Buckets", `${base}/load-data/buckets`, ["buckets", "bucket"]], ["API Tokens", `${base}/load-data/tokens`, ["tokens"]]]],
    home && ["Organization", [["Members", `${base}/members`, ["members"]], ["Settings", `${base}/settings`, ["settings"]]]],
    isOperator && ["Admin", [["Users", "/admin/users", ["users"]], ["Organizations", "/admin/organizations", ["organizations"]]]],
  ].filter(Boolean);

  useEffect(() => {
    let prefix = false;
    const onKey = (event) => {
      const typing = event.target.closest("input, textarea, select, [contenteditable]");
      if (!keys || typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (prefix && base && "tb".includes(event.key)) {
        navigate(`${base}/load-data/${event.key === "t" ? "tokens" : "buckets"}`);
        prefix = false;
      } else if (event.key === "g") prefix = true;
      else if (event.key === "/") {
        const filter = document.querySelector("[data-filter]");
        if (filter) {
          event.preventDefault();
          filter.focus();
        }
      } else if (event.key === "?") setHelp(true);
      else prefix = false;
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [keys, base]);
  useEffect(() => remember("keys", keys), [keys]);
  // On a narrow screen the menu has done its work once it led somewhere.
  useEffect(() => setOpen(false), [page.path]);

  return (
    <div class="shell">
      <a
        class="skip"
        href="#content"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("content").focus();
        }}
      >
        Skip to content
      </a>
      <nav class={`rail${open ? " open" : ""}`} aria-label="Main">
        <Link to="/" class="brand"><img src="/favicon.svg" alt="" width="24" height="24" /> fluxkeep</Link>
        <button type="button" class="rail-button" aria-expanded={open} onClick={() => setOpen(!open)}>Menu</button>
        <div class="rail-groups">
          {groups.map(([title, links]) => (
            <section key={title} aria-label={title}>
              <p class="rail-title">{title}</p>
              {links.map(([text, to, names]) => (
                <Link key={to} to={to} aria-current={names.includes(route?.name) ? "page" : undefined}>{text}</Link>
              ))}
            </section>
          ))}
        </div>
      </nav>
      <div class="main">
        <header class="top">
          <OrgSwitcher />
          {/* The page's only h1; made anew with the page, so that it can get the focus once more. */}
          <h1 key={page.path} tabIndex={-1} title={page.heading}>{page.heading}</h1>
          <Menu label={`Theme: ${theme}`} items={["System", "Light", "Dark"].map((name) => ({ label: `${name === theme ? "✓ " : ""}${name}`, onSelect: () => setTheme(name) }))}><Icon name="theme" /></Menu>
          <Menu label={`Time zone: ${tz}`} items={["Local", "UTC"].map((name) => ({ label: `${name === tz ? "✓ " : ""}${name}`, onSelect: () => setTz(name) }))}>{tz}</Menu>
          <Menu
            items={[
              { label: "My profile", onSelect: () => navigate("/me") },
              { label: "Keyboard shortcuts", onSelect: () => setHelp(true) },
              { label: "Sign out", onSelect: signOut },
            ]}
          >
            {me.name} ▾
          </Menu>
        </header>
        <main id="content" tabIndex={-1}>{children}</main>
      </div>
      {help && (
        <Dialog title="Keyboard shortcuts" onClose={() => setHelp(false)}>
          <dl class="keys">
            <div><dt><kbd>/</kbd></dt><dd>Filter this page</dd></div>
            <div><dt><kbd>g</kbd> <kbd>t</kbd></dt><dd>API tokens</dd></div>
            <div><dt><kbd>g</kbd> <kbd>b</kbd></dt><dd>Buckets</dd></div>
            <div><dt><kbd>?</kbd></dt><dd>This list</dd></div>
          </dl>
          <Check label="Use single-key shortcuts" checked={keys} onChange={(e) => setKeys(e.currentTarget.checked)} />
        </Dialog>
      )}
    </div>
  );
}

function OrgSwitcher() {
  const { orgs, org, route, navigate } = usePage();
  const current = org ?? (route?.params.orgID ? null : lastOf(orgs));
  const page = { tokens: "load-data/tokens", buckets: "load-data/buckets", bucket: "load-data/buckets", members: "members", settings: "settings" };
  return (
    <Combobox
      className="switcher"
      label="Organization"
      hideLabel
      placeholder="Choose an organization"
      options={[...orgs].sort((a, b) => a.name.localeCompare(b.name)).map((one) => ({ value: one.id, text: one.name }))}
      value={current?.id ?? null}
      onPick={(id) => navigate(`/orgs/${id}/${page[route?.name] ?? "load-data/tokens"}`)}
    />
  );
}
