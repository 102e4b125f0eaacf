// What the page checks of buckets before asking the server, which checks again. Pure.

import { pointsOf, refusedLines } from "./lines.js";
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

/** Lines of a parse report: [{number, line, reason}] from the server's message about a text; no number where it is not found. */
export function parseReport(message, text = "") {
  const sent = text.split("\n");
  const taken = new Set();
  return [...message.matchAll(/unable to parse '([\s\S]*?)': ([^\n]*)/g)].map(([, line, reason]) => {
    const at = sent.findIndex((one, i) => !taken.has(i) && one.trim() === line.split("\n")[0].trim());
    taken.add(at);
    return { number: at < 0 ? null : at + 1, line, reason };
  });
}

/**
 * What became of a write that was not wholly stored: {title, reason, lines}, or null when the message is of another kind.
 * The server gives one reason and a count; `lines` are those of the text that have what it names, and none where
 * more have it than it dropped, because then nobody but the server knows which. `rest`: dropped points without a line.
 */
export function partialReport(message, text, precision = "ns") {
  const found = /partial write: ([\s\S]*) dropped=(\d+)/.exec(message);
  if (!found) return null;
  const [reason, dropped] = [found[1], Number(found[2])];
  const sent = pointsOf(text).length;
  const gone = `${dropped} point${dropped === 1 ? " was" : "s were"} dropped`;
  const title = dropped === 0 ? "Stored, but not all as it was written" : dropped >= sent ? `Nothing was stored: ${gone}` : `Partly stored: ${gone}, the others were stored`;
  const fitting = refusedLines(reason, text, precision);
  const lines = dropped > 0 && fitting.length > dropped ? [] : fitting;
  return { title, reason, lines, rest: lines.length ? Math.max(0, dropped - lines.length) : 0 };
}
