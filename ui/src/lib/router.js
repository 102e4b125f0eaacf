// Routes, and which paths may follow a sign-in.

const ROUTES = [
  ["home", "/"],
  ["onboarding", "/onboarding"],
  ["onboarding", "/onboarding/:step"],
  ["signin", "/signin"],
  ["tokens", "/orgs/:orgID/load-data/tokens"],
  ["buckets", "/orgs/:orgID/load-data/buckets"],
  ["bucket", "/orgs/:orgID/load-data/buckets/:bucketID"],
  ["explorer", "/orgs/:orgID/data-explorer"],
  ["members", "/orgs/:orgID/members"],
  ["settings", "/orgs/:orgID/settings"],
  ["users", "/admin/users"],
  ["organizations", "/admin/organizations"],
  ["me", "/me"],
  ["tasks", "/orgs/:orgID/tasks"],
  ["dashboards", "/orgs/:orgID/dashboards-list"],
].map(([name, path]) => ({ name, parts: path.split("/").slice(1) }));

/** The route of a path: {name, params}, or null. A slash at the end does not count. */
export function match(path) {
  const parts = (path.length > 1 ? path.replace(/\/$/, "") : path).split("/").slice(1);
  for (const route of ROUTES) {
    if (route.parts.length !== parts.length) continue;
    const params = {};
    const fits = route.parts.every((part, i) => {
      if (!part.startsWith(":")) return part === parts[i];
      try {
        params[part.slice(1)] = decodeURIComponent(parts[i]);
      } catch {
        return false;
      }
      return parts[i] !== "";
    });
    if (fits) return { name: route.name, params };
  }
  return null;
}

/** Where to go after a sign-in: `next` when it is a path of this page, else "/". */
export function safeNext(next) {
  if (typeof next !== "string" || !next.startsWith("/") || /^\/[/\\]/.test(next) || /[\u0000-\u001f]/.test(next)) return "/";
  const path = next.split(/[?#]/)[0];
  const found = match(path);
  return found && found.name !== "signin" && found.name !== "onboarding" ? next : "/";
}

/** A path with its query made of an object; empty values are left out. */
export function withQuery(path, query) {
  const text = new URLSearchParams(Object.entries(query).filter(([, v]) => v !== "" && v != null)).toString();
  return text ? `${path}?${text}` : path;
}
