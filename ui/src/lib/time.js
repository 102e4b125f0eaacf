// Instants and durations as people read them.

const UNITS = [
  ["d", 86400],
  ["h", 3600],
  ["m", 60],
  ["s", 1],
];

/** Seconds as "7 d", "1 h 30 m"; 0 is "Forever". */
export function duration(seconds) {
  if (!seconds) return "Forever";
  const parts = [];
  let rest = seconds;
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count) parts.push(`${count} ${unit}`);
    rest -= count * size;
  }
  return parts.join(" ");
}

/** Seconds as they are typed: "1d12h"; what `parseDuration` reads back. */
export const typedDuration = (seconds) => (seconds ? duration(seconds).replaceAll(" ", "") : "");

/** The bounds of a time axis in seconds: those of the times, half a minute around a single one. */
export function boundsOf(times) {
  const [first, last] = [times[0], times.at(-1)];
  return first === last ? [first - 30, last + 30] : [first, last];
}

/** Seconds of a text such as "30d", "1h30m", "90 m"; null when it is none. */
export function parseDuration(text) {
  const compact = text.replace(/\s+/g, "");
  if (!/^(\d+(w|d|h|m|s))+$/.test(compact)) return null;
  let seconds = 0;
  for (const [, count, unit] of compact.matchAll(/(\d+)(w|d|h|m|s)/g)) {
    seconds += Number(count) * { w: 604800, d: 86400, h: 3600, m: 60, s: 1 }[unit];
  }
  return seconds;
}

/** How long before or after `now`: "3 min. ago", "in 2 days". */
export function relative(iso, now = Date.now()) {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  const format = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
  for (const [unit, size] of [["year", 31557600], ["month", 2629800], ["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= size) return format.format(Math.trunc(seconds / size), unit);
  }
  return format.format(Math.trunc(seconds), "second");
}

/** A date and time to the second in UTC or the browser's zone. */
export function absolute(iso, zone = "Local") {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  if (zone === "UTC") return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  const part = (n) => String(n).padStart(2, "0");
  return (
    `${date.getFullYear()}-${part(date.getMonth() + 1)}-${part(date.getDate())} ` +
    `${part(date.getHours())}:${part(date.getMinutes())}:${part(date.getSeconds())}`
  );
}
