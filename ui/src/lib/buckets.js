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

/**
 * What became of a write that was not wholly stored: {title, reason, lines}, or null when it is no such message.
 * The server names points only where retention took them, the oldest and the newest; `sent` is how many were sent.
 */
export function partialReport(message, sent) {
  const found = /partial write: ([\s\S]*) dropped=(\d+)/.exec(message);
  if (!found) return null;
  const [reason, dropped] = [found[1], Number(found[2])];
  const lines = [...reason.matchAll(/(?:oldest|newest) point (.*?) at (\S+) dropped because it (violates [^,]*)/g)].map(([, key, time, why]) => ({ line: `${key} at ${time}`, reason: why }));
  const gone = `${dropped} point${dropped === 1 ? " was" : "s were"} dropped`;
  const title = dropped === 0 ? "Stored, but not all as it was written" : dropped >= sent ? `Nothing was stored: ${gone}` : `Partly stored: ${gone}, the others were stored`;
  const once = lines.filter(({ line }, i) => lines.findIndex((other) => other.line === line) === i);
  return { title, reason, lines: once };
}
