import { Fragment } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Page } from "./context.js";
import { createApi } from "./lib/api.js";
import { allows } from "./lib/perms.js";
import { match, safeNext, withQuery } from "./lib/router.js";
import { recall, remember } from "./lib/store.js";
import { Dialog } from "./parts/Dialog.jsx";
import { Toasts } from "./parts/Toasts.jsx";
import { Onboarding } from "./pages/Onboarding.jsx";
import { SignIn, SignInForm } from "./pages/SignIn.jsx";
import { Link, Shell } from "./pages/Shell.jsx";
import { Tokens } from "./pages/tokens/Tokens.jsx";

const LAZY = {
  buckets: () => import("./pages/buckets/Buckets.jsx").then((m) => m.Buckets),
  bucket: () => import("./pages/buckets/Bucket.jsx").then((m) => m.Bucket),
  members: () => import("./pages/people/Members.jsx").then((m) => m.Members),
  settings: () => import("./pages/people/Settings.jsx").then((m) => m.Settings),
  users: () => import("./pages/people/Users.jsx").then((m) => m.Users),
  organizations: () => import("./pages/people/Organizations.jsx").then((m) => m.Organizations),
  me: () => import("./pages/people/Me.jsx").then((m) => m.Me),
};
const TITLES = {
  tokens: "API Tokens", buckets: "Buckets", bucket: "Bucket", members: "Members", settings: "Settings",
  users: "Users", organizations: "Organizations", me: "My profile", signin: "Sign in", onboarding: "Set up",
};
const HINT_AGE_MS = 60_000;
const PAUSES_S = [1, 2, 5, 10];
const QUIET_MS = 30_000;

export function App() {
  const [url, setUrl] = useState(location.pathname + location.search);
  const [state, setState] = useState({ phase: "starting" });
  const [toasts, setToasts] = useState([]);
  const [ended, setEnded] = useState(null);
  const [down, setDown] = useState("");
  const [revived, setRevived] = useState(0);
  const [warning, setWarning] = useState("");
  // How often in a row it had to be asked for; a server that answers its health and fails all else is not pressed.
  const asks = useRef({ count: 0, at: 0 });
  const [theme, setTheme] = useState(recall("theme", "System"));
  const [tz, setTz] = useState(recall("tz", "Local"));
  const channel = useMemo(() => new BroadcastChannel("fluxkeep"), []);
  const live = useRef({});

  const navigate = useCallback((to, { replace = false } = {}) => {
    history[replace ? "replaceState" : "pushState"](null, "", to);
    setUrl(location.pathname + location.search);
  }, []);
  const toast = useCallback((text) => setToasts((all) => [...all, { id: crypto.getRandomValues(new Uint32Array(1))[0], text }]), []);

  const api = useMemo(
    () =>
      createApi({
        onSession: () =>
          new Promise((resolve) => {
            if (live.current.phase !== "in") {
              resolve(false);
              return;
            }
            setEnded((old) => ({ waiting: [...(old?.waiting ?? []), resolve] }));
          }),
        onDown: (error) => setDown(error.status ? `The server failed: ${error.message}` : "The server cannot be reached."),
        onDenied: () => live.current.phase === "in" && live.current.refreshHint?.().catch(() => {}),
        onWarning: setWarning,
        onInactive: () => setState((old) => ({ ...old, phase: "inactive" })),
      }),
    [],
  );
  Object.assign(live.current, state);

  const enter = useCallback(async () => {
    const me = await api.get("/api/v2/me");
    const [orgs, flags] = await Promise.all([
      api.pages("/api/v2/orgs", "orgs"),
      api.get("/api/v2/flags").catch(() => ({})),
    ]);
    const hint = await loadHint(api, me);
    setState({ phase: "in", me, orgs, flags, hint, hintAt: Date.now() });
  }, [api]);

  const start = useCallback(async () => {
    try {
      const { allowed } = await api.get("/api/v2/setup");
      if (allowed) {
        setState({ phase: "setup" });
        if (match(location.pathname)?.name !== "onboarding") navigate("/onboarding", { replace: true });
        return;
      }
      await enter();
      setDown("");
    } catch (error) {
      if (error.kind === "session" || error.kind === "permission") setState({ phase: "out" });
      else if (error.kind === "inactive") setState({ phase: "inactive" });
      else setDown((old) => old || error.message);
    }
  }, [api, enter, navigate]);

  useEffect(() => {
    start();
    const onPop = () => setUrl(location.pathname + location.search);
    window.addEventListener("popstate", onPop);
    channel.onmessage = ({ data }) => {
      if (data === "signed-out") {
        setState({ phase: "out" });
        navigate("/signin", { replace: true });
      } else if (data === "signed-in" && live.current.phase === "out") start();
    };
    return () => window.removeEventListener("popstate", onPop);
  }, []);

  // The server is down: ask again after 1, 2, 5, then every 10 seconds.
  useEffect(() => {
    if (!down) return undefined;
    if (Date.now() - asks.current.at > QUIET_MS) asks.current.count = 0;
    const pause = () => PAUSES_S[Math.min(asks.current.count++, PAUSES_S.length - 1)] * 1000;
    let timer;
    const ask = async () => {
      try {
        const answer = await fetch("/health", { cache: "no-store" });
        if (answer.ok) {
          asks.current.at = Date.now();
          setDown("");
          setRevived((times) => times + 1);
          if (live.current.phase === "starting") start();
          return;
        }
      } catch {
        // Still down.
      }
      timer = setTimeout(ask, pause());
    };
    timer = setTimeout(ask, pause());
    return () => clearTimeout(timer);
  }, [down]);

  const retry = () => {
    if (state.phase === "starting") start();
    else fetch("/health").then(() => { setDown(""); setRevived((times) => times + 1); }, () => {});
  };

  useEffect(() => {
    const root = document.documentElement;
    if (theme === "System") delete root.dataset.theme;
    else root.dataset.theme = theme.toLowerCase();
    remember("theme", theme);
  }, [theme]);
  useEffect(() => remember("tz", tz), [tz]);

  const refreshHint = useCallback(async () => {
    const hint = await loadHint(api, live.current.me);
    setState((old) => ({ ...old, hint, hintAt: Date.now() }));
  }, [api]);
  live.current.refreshHint = refreshHint;
  useEffect(() => {
    const onFocus = () => {
      if (live.current.phase === "in" && Date.now() - live.current.hintAt > HINT_AGE_MS) refreshHint().catch(() => {});
    };
    window.addEventListener("focus", onFocus);
    return () => window.removeEventListener("focus", onFocus);
  }, []);

  const signOut = useCallback(async () => {
    await api.signOut().catch(() => {});
    channel.postMessage("signed-out");
    setState({ phase: "out" });
    navigate("/signin", { replace: true });
  }, [api]);

  const path = url.split("?")[0];
  const query = Object.fromEntries(new URLSearchParams(url.split("?")[1] ?? ""));
  const route = match(path);
  const org = state.orgs?.find((one) => one.id === route?.params.orgID) ?? null;
  const [named, setNamed] = useState("");
  const heading = state.phase === "in" ? headingOf(route, org, named) : (TITLES[route?.name] ?? "");
  const title = [heading, org?.name, "fluxkeep"].filter(Boolean).join(" · ");

  // Redirects: what the state of the session makes of the path.
  useEffect(() => {
    const name = route?.name;
    if (state.phase === "out" && name !== "signin") {
      navigate(path === "/" ? "/signin" : withQuery("/signin", name === "onboarding" ? { setup: "done" } : { next: url }), { replace: true });
    } else if (state.phase === "in" && (name === "home" || name === "signin" || name === "onboarding")) {
      const remembered = recall("org", "");
      const home = state.orgs.find((one) => one.id === remembered) ?? state.orgs[0];
      const to = safeNext(query.next);
      navigate(name === "signin" && to !== "/" ? to : home ? `/orgs/${home.id}/load-data/tokens` : "/me", { replace: true });
    }
  }, [state.phase, url]);

  useEffect(() => {
    if (org) remember("org", org.id);
    document.title = title;
  }, [org?.id, title]);
  const shown = `${state.phase} ${path}`;
  const before = useRef(shown);
  const [spoken, setSpoken] = useState("");
  const titled = useRef(title);
  useEffect(() => {
    // A page that was only just loaded leaves the focus at its beginning, before the link that skips to the content.
    const loaded = before.current.startsWith("starting");
    if (before.current !== shown && !loaded && !document.querySelector("dialog[open]")) document.querySelector("h1")?.focus({ preventScroll: true });
    before.current = shown;
  }, [shown]);
  useEffect(() => {
    // A screen reader hears where it is even when the focus could not go to the heading.
    if (titled.current !== title) setSpoken(title);
    titled.current = title;
  }, [title]);

  const value = {
    api, me: state.me, orgs: state.orgs ?? [], org, flags: state.flags ?? {}, hint: state.hint ?? [], route, query, path,
    theme, setTheme, tz, setTz, navigate, toast, signOut, refreshHint,
    refreshOrgs: async () => {
      const orgs = await api.pages("/api/v2/orgs", "orgs");
      setState((old) => ({ ...old, orgs }));
    },
    revived, warning, setWarning, heading,
    /** What a page is about, where its route alone does not say: it then stands in the heading. */
    setNamed,
    /** Says of a failure that it met nothing any more, when that is what it is. */
    isGone: (failure, what) => {
      if (failure.kind !== "gone") return false;
      toast(`${what} no longer exists`);
      return true;
    },
    setQuery: (change) => navigate(withQuery(path, { ...query, ...change }), { replace: true }),
    may: (action, resource) => allows(state.hint ?? [], { action, resource }),
    signedIn: async () => {
      channel.postMessage("signed-in");
      await enter();
    },
  };

  let content;
  if (state.phase === "starting") content = <main class="center"><p role="status">{down ? "" : "Loading…"}</p></main>;
  else if (state.phase === "setup") content = <Onboarding onFinished={() => setState({ phase: "out" })} />;
  else if (state.phase === "inactive") {
    content = (
      <main class="center">
        <div class="card">
          <img src="/favicon.svg" alt="" width="40" height="40" />
          <h1 tabIndex={-1}>Account disabled</h1>
          <p>This account is inactive: nothing can be seen or changed with it. Ask an operator to activate it.</p>
          <button type="button" class="full" onClick={signOut}>Sign out</button>
        </div>
      </main>
    );
  } else if (state.phase === "out") content = <SignIn />;
  else content = <Shell>{pageOf(route, org, org ?? state.orgs[0])}</Shell>;

  return (
    <Page.Provider value={value}>
      {/* Keys, so that what comes and goes above never makes the page below anew: typed words would be lost with it. */}
      {down ? <div key="down" class="banner bad" role="alert"><span>{down.replace(/\.?$/, ".")} Trying again…</span> <button type="button" onClick={retry}>Retry</button></div> : null}
      {warning && state.phase !== "setup" ? <div key="warning" class="banner warn" role="alert"><span>The server warns: {warning}.</span> <button type="button" onClick={() => setWarning("")}>Dismiss</button></div> : null}
      <Fragment key="content">{content}</Fragment>
      {ended && (
        <Dialog
          title="Session ended"
          initialFocus='input[name="password"]'
          footer={
            <button
              type="button"
              onClick={() => {
                ended.waiting.forEach((resolve) => resolve(false));
                setEnded(null);
                signOut();
              }}
            >
              Leave this page
            </button>
          }
        >
          <p>Sign in again to go on; nothing that you typed is lost.</p>
          <SignInForm
            user={state.me?.name}
            onDone={async () => {
              const { waiting } = ended;
              setEnded(null);
              // Somebody else's pages must not go on with this one's.
              if ((await api.get("/api/v2/me")).id !== state.me.id) location.assign("/");
              else waiting.forEach((resolve) => resolve(true));
            }}
          />
        </Dialog>
      )}
      <div class="visually-hidden" aria-live="polite" data-testid="spoken">{spoken}</div>
      <Toasts items={toasts} onDone={(id) => setToasts((all) => all.filter((one) => one.id !== id))} />
    </Page.Provider>
  );
}

/** What the session may do: the server's list, and what the user's own active tokens add. */
async function loadHint(api, me) {
  const [own, tokens] = await Promise.all([
    api.get(`/api/v2/users/${me.id}/permissions`).catch(() => []),
    api.tokens(`?userID=${me.id}`).catch(() => []),
  ]);
  return [...own, ...tokens.filter((t) => t.status === "active").flatMap((t) => t.permissions.map((p) => ({ ...p, from: t.id })))];
}

/** Routes that are kept for pages which do not exist yet. */
const isUnknown = (route) => !route || route.name === "explorer" || route.name === "tasks" || route.name === "dashboards";

function headingOf(route, org, named) {
  if (isUnknown(route)) return "Page not found";
  if (route.params.orgID && !org) return "Organization not found or not visible to you";
  return named || (TITLES[route.name] ?? "");
}

function pageOf(route, org, home) {
  if (isUnknown(route)) {
    return (
      <div class="state">
        <p>Nothing is at this address.</p>
        <ul class="links">
          {home && <li><Link to={`/orgs/${home.id}/load-data/tokens`}>API tokens</Link></li>}
          {home && <li><Link to={`/orgs/${home.id}/load-data/buckets`}>Buckets</Link></li>}
          <li><Link to="/me">My profile</Link></li>
        </ul>
      </div>
    );
  }
  if (route.params.orgID && !org) {
    return (
      <div class="state">
        <p>Choose another one above.</p>
      </div>
    );
  }
  if (route.name === "tokens") return <Tokens key={org.id} />;
  return LAZY[route.name] ? <Lazy name={route.name} key={`${route.name} ${org?.id} ${route.params.bucketID}`} /> : null;
}

function Lazy({ name }) {
  const [part, setPart] = useState(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    LAZY[name]().then((found) => setPart(() => found), () => setFailed(true));
  }, [name]);
  if (failed) return <div class="state" role="alert"><p>This page could not be loaded.</p><a href={location.href}>Reload</a></div>;
  const Part = part;
  return Part ? <Part /> : <div class="state" aria-busy="true"><div class="skeleton" /></div>;
}
