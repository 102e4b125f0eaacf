// What the page makes of authorizations: kinds, states, filters, words. Pure.

import { kindOf } from "./perms.js";

const DAY_MS = 86_400_000;
export const SOON_DAYS = 7;

/** active, inactive, expired or expiring (within seven days). */
export function stateOf(token, now = Date.now()) {
  if (token.expiresAt && new Date(token.expiresAt).getTime() <= now) return "expired";
  if (token.status !== "active") return "inactive";
  if (token.expiresAt && new Date(token.expiresAt).getTime() - now <= SOON_DAYS * DAY_MS) return "expiring";
  return "active";
}

/** The rows of the list, with what is searched and sorted worked out once. */
export function rowsOf(tokens, now = Date.now()) {
  return tokens.map((token) => {
    const onBuckets = token.permissions.map((p) => p.resource).filter((r) => r.type === "buckets" || r.type === "instance");
    const names = [...new Set(onBuckets.map((r) => r.type === "buckets" && r.name).filter(Boolean))];
    const kind = kindOf(token.permissions, token.orgID, token.userID);
    const state = stateOf(token, now);
    return {
      ...token,
      kind,
      state,
      buckets: names,
      // Organizations whose buckets it reaches all, future ones too; "" for every organization's.
      wide: new Set(onBuckets.filter((r) => !r.id).map((r) => r.orgID ?? "")),
      text: [token.description, token.id, token.user, token.org, state, kind, ...names].join("\n").toLowerCase(),
    };
  });
}

/** Organizations in which a bucket of this name is known from what tokens are granted. */
const homesOf = (rows, bucket) => new Set(rows.flatMap((row) => row.permissions.map((p) => p.resource).filter((r) => r.type === "buckets" && r.id && r.name === bucket).map((r) => r.orgID)));

/** Rows that match every word and every facet. */
export function filterRows(rows, { q = "", status = "", type = "", owner = "", bucket = "" }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const homes = bucket ? homesOf(rows, bucket) : new Set();
  return rows.filter(
    (row) =>
      words.every((word) => row.text.includes(word)) &&
      (!status || row.state === status || (status === "active" && row.state === "expiring")) &&
      (!type || row.kind === type) &&
      (!owner || row.user === owner) &&
      (!bucket || row.buckets.includes(bucket) || row.wide.has("") || [...row.wide].some((org) => homes.has(org))),
  );
}

/** What a new token is called when nothing was typed; at most 80 characters. */
export function describe(permissions, names = {}) {
  const read = [];
  const write = [];
  for (const { action, resource } of permissions) {
    const what = resource.id ? (names[resource.id] ?? resource.name ?? resource.id) : `all ${resource.type}`;
    (action === "read" ? read : write).push(what);
  }
  const parts = [read.length && `Read ${read.join(", ")}`, write.length && `${read.length ? "write" : "Write"} ${write.join(", ")}`];
  const text = parts.filter(Boolean).join(", ");
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

const quoted = (text) => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/**
 * The `influx auth create` that makes the token of a wish, or "" where it has no flags for it: an end, or
 * permissions on one resource other than a bucket.
 */
export function commandOf(shape, { orgID, description, permissions, expiresAt }, owner) {
  if (expiresAt || permissions.length === 0) return "";
  const flags = [];
  if (shape === "Operator") flags.push("--operator");
  else if (shape === "All Access") flags.push("--all-access");
  else {
    for (const { action, resource: { type, id, orgID: within } } of permissions) {
      if (type === "buckets" && id) flags.push(`--${action}-bucket ${id}`);
      else if (id || within !== orgID || type === "orgs" || type === "users") return "";
      else flags.push(`--${action}-${type}`);
    }
  }
  const who = owner ? [`--user ${quoted(owner)}`] : [];
  const what = description ? [`--description ${quoted(description)}`] : [];
  return ["influx auth create", `--org-id ${orgID}`, ...who, ...what, ...flags].join(" \\\n  ");
}

/** Runs work over items, at most `most` at once; gives [{item, error}] in order. */
export async function inFlight(items, work, most = 4, onStep = () => {}) {
  const results = new Array(items.length);
  let next = 0;
  let done = 0;
  const lane = async () => {
    while (next < items.length) {
      const at = next++;
      try {
        await work(items[at]);
        results[at] = { item: items[at] };
      } catch (error) {
        results[at] = { item: items[at], error };
      }
      onStep(++done);
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, lane));
  return results;
}
