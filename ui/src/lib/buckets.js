// What the page checks of buckets before asking the server, which checks again. Pure.

import { parseDuration } from "./time.js";

export const RETENTIONS = [["0", "Forever"], ["604800", "7 days"], ["2592000", "30 days"], ["31536000", "1 year"], ["custom", "Custom…"]];

/** Why a bucket's name is refused, or "". */
export function nameProblem(name) {
  if (name === "") return "A name is needed";
  if (name.startsWith("_")) return "A bucket's name must not start with an underscore";
  if (name.includes('"')) return "A bucket's name must not contain quotation marks";
  return "";
}

/** Seconds of a retention choice; null when it is no duration of at least an hour. */
export function retentionSeconds(choice, custom) {
  if (choice !== "custom") return Number(choice);
  const seconds = parseDuration(custom);
  return seconds !== null && seconds >= 3600 ? seconds : null;
}

/** Lines of a parse report: [{line, reason}] from the server's message. */
export function parseReport(message) {
  return [...message.matchAll(/unable to parse '([\s\S]*?)': ([^\n]*)/g)].map(([, line, reason]) => ({ line, reason }));
}

/** How many points were dropped of a write that was partly stored, and why. */
export function partialReport(message) {
  const found = /partial write: ([\s\S]*?) dropped=(\d+)/.exec(message);
  return found ? { reason: found[1], dropped: Number(found[2]) } : null;
}
