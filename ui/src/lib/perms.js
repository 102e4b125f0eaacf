// Permissions as the server matches them (tokens.md §1.7). A hint for the page, never a gate: the
// server decides every time. tests/access/vectors.json holds both implementations together.

export const TYPES = [
  "authorizations", "buckets", "dashboards", "orgs", "sources", "tasks", "telegrafs", "users", "variables",
  "scrapers", "secrets", "labels", "views", "documents", "notificationRules", "notificationEndpoints", "checks",
  "dbrp", "notebooks", "annotations", "remotes", "replications",
];

/** Whether the held permission satisfies the wanted one. */
export function satisfies(held, wanted) {
  if (held.action !== wanted.action) return false;
  const h = held.resource;
  const w = wanted.resource;
  if (h.type === "instance") return true;
  if (h.type !== w.type) return false;
  if (!h.orgID && !h.id) return true;
  if (h.orgID && !h.id) return h.orgID === w.orgID;
  return Boolean(h.id) && h.id === w.id;
}

/** Whether any held permission satisfies the wanted one. */
export function allows(set, wanted) {
  return set.some((held) => satisfies(held, wanted));
}

/** A permission as the server spells it, for messages. */
export function spell({ action, resource }) {
  let path = resource.type;
  if (resource.orgID) path = `orgs/${resource.orgID}/${path}`;
  if (resource.id) path += `/${resource.id}`;
  return `${action}:${path}`;
}

const both = (resource) => ["read", "write"].map((action) => ({ action, resource }));

/** The 44 permissions of an operator token. */
export function operatorSet() {
  return TYPES.flatMap((type) => both({ type }));
}

/** The 43 permissions of an All Access token of a user in an organization. */
export function allAccessSet(orgID, userID, types = TYPES) {
  return types
    .filter((type) => type !== "instance")
    .flatMap((type) => {
      if (type === "orgs") return [{ action: "read", resource: { type, id: orgID } }];
      if (type === "users") return both({ type, id: userID });
      return both({ type, orgID });
    });
}

/** What kind of token a set of permissions makes: Operator, All Access, Read/Write or Custom. */
export function kindOf(permissions, orgID, userID) {
  if (operatorSet().every((wanted) => allows(permissions, wanted))) return "Operator";
  const spelled = new Set(permissions.map(spell));
  const full = allAccessSet(orgID, userID).map(spell);
  if (spelled.size === full.length && full.every((one) => spelled.has(one))) return "All Access";
  if (permissions.length && permissions.every((p) => p.resource.type === "buckets")) return "Read/Write";
  return "Custom";
}

const NAMED = new Set(["buckets", "orgs", "users"]);

/** Whether the object of a permission no longer exists; the server names those of three types as long as they do. */
export function isGone({ resource: { type, id, name } }) {
  return Boolean(id && !name && NAMED.has(type));
}

/** A permission without the names that the server adds to it. */
export function stripped({ action, resource: { type, id, orgID } }) {
  return { action, resource: { type, ...(orgID ? { orgID } : {}), ...(id ? { id } : {}) } };
}

/**
 * What a token reaches, in few words: [{text, title}], at most `most` of them and a "+n" behind; after the first only
 * as many as have `room` together, in characters.
 * Buckets come by name with R, W or RW, three and more alike by their number; other types by name of the type; the
 * standard kinds in words.
 */
export function summary(permissions, most = 3, kind = "", room = Infinity) {
  if (kind === "Operator") return [{ text: "everything, everywhere" }];
  if (kind === "All Access") return [{ text: "its whole organization" }];
  const reach = new Map();
  const buckets = new Set();
  for (const { action, resource } of permissions) {
    const short = resource.id && `${resource.id.slice(0, 4)}…${resource.id.slice(-2)}`;
    let what;
    if (isGone({ resource })) what = `deleted ${resource.type.replace(/s$/, "")} ${short}`;
    else if (resource.type === "buckets" && resource.id) buckets.add((what = resource.name));
    else if (resource.id) what = `${resource.type} ${resource.name ?? short}`;
    else what = resource.orgID ? `all ${resource.type}` : `${resource.type} everywhere`;
    const seen = reach.get(what) ?? new Set();
    seen.add(action === "read" ? "R" : "W");
    reach.set(what, seen);
  }
  const alike = new Map();
  for (const [what, actions] of reach) {
    const how = [...actions].sort().join("");
    const key = buckets.has(what) ? how : `${how} ${what}`;
    alike.set(key, [...(alike.get(key) ?? []), `${how} ${what}`]);
  }
  const chips = [...alike].flatMap(([how, texts]) => (texts.length > 2 ? [{ text: `${how} ${texts.length} buckets`, title: texts.join(", ") }] : texts.map((text) => ({ text }))));
  let shown = 0;
  for (let used = 0; shown < Math.min(most, chips.length); shown += 1) {
    used += chips[shown].text.length;
    if (shown > 0 && used > room) break;
  }
  if (chips.length <= shown) return chips;
  return [...chips.slice(0, shown), { text: `+${chips.length - shown}`, title: chips.slice(shown).map((c) => c.text).join(", ") }];
}
