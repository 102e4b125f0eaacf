// Line protocol, as far as the page must understand it to say which line an answer is about. Pure.

const NS = { ns: 1n, us: 1000n, ms: 1_000_000n, s: 1_000_000_000n };
const WHOLE = { i: "integer", u: "unsigned" };

/** The points of a text: {number, text, measurement, fields: [{name, type, bytes}], time}; `time` is null without one. */
export function pointsOf(text) {
  const points = [];
  let at = 0;
  let number = 1;
  while (at < text.length) {
    const begin = at;
    const first = number;
    // Quotes matter only among the fields, which the first bare space opens and the second closes.
    let part = 0;
    let quoted = false;
    for (; at < text.length; at += 1) {
      const c = text[at];
      if (c === "\\") at += 1;
      else if (c === '"' && part === 1) quoted = !quoted;
      else if (c === "\n" && !quoted) break;
      else if (c === " " && !quoted && text[at - 1] !== " ") part += 1;
      if (text[at] === "\n") number += 1;
    }
    const line = text.slice(begin, at).trim();
    at += 1;
    number += 1;
    if (line && !line.startsWith("#")) points.push({ number: first, text: line, ...read(line) });
  }
  return points;
}

/** The places of a bare character in a text, outside of quotes where these count. */
function split(text, at, quotes) {
  const parts = [];
  let quoted = false;
  let begin = 0;
  for (let i = 0; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (quotes && text[i] === '"') quoted = !quoted;
    else if (text[i] === at && !quoted) {
      parts.push(text.slice(begin, i));
      begin = i + 1;
    }
  }
  return [...parts, text.slice(begin)];
}

const bare = (text) => text.replace(/\\([,= \\])/g, "$1");

function read(line) {
  const [key, ...rest] = split(line, " ", false);
  const behind = rest.join(" ").trim();
  const words = split(behind, " ", true).filter(Boolean);
  const fields = split(words[0] ?? "", ",", true).map((pair) => {
    const [name, ...value] = split(pair, "=", false);
    return { name: bare(name), ...typeOf(value.join("=")) };
  });
  return { measurement: bare(split(key, ",", false)[0]), fields, time: /^-?\d+$/.test(words[1] ?? "") ? BigInt(words[1]) : null };
}

function typeOf(value) {
  if (value.startsWith('"')) return { type: "string", bytes: new TextEncoder().encode(value.slice(1, -1)).length };
  if (/^[tTfF]/.test(value)) return { type: "boolean", bytes: 0 };
  return { type: WHOLE[value.at(-1)] ?? "float", bytes: 0 };
}

/** Which points of what was sent a partial write's message is about: [{number, line, reason}]. */
export function refusedLines(message, text, precision) {
  const tell = (reason, fits) => pointsOf(text).filter(fits).map((point) => ({ number: point.number, line: point.text, reason }));
  const conflict = /field type conflict: input field "([\s\S]*)" on measurement "([\s\S]*)" is type (\w+), already exists as type (\w+)/.exec(message);
  if (conflict) {
    const [, field, measurement, type, existing] = conflict;
    return tell(`${field} is ${type} here, and ${existing} in the bucket`, (p) => p.measurement === measurement && p.fields.some((f) => f.name === field && f.type === type));
  }
  const long = /input field "([\s\S]*)" on measurement "([\s\S]*)" is too long, \d+ > (\d+)/.exec(message);
  if (long) return tell(`${long[1]} is longer than ${long[3]} bytes`, (p) => p.measurement === long[2] && p.fields.some((f) => f.name === long[1] && f.bytes > Number(long[3])));
  const named = /input field "time" on measurement "([\s\S]*)" is invalid/.exec(message);
  if (named) return tell("a field must not be called time", (p) => p.measurement === named[1] && p.fields.some((f) => f.name === "time"));
  const bound = /Retention Policy Lower Bound at ([^\s,]+)/.exec(message)?.[1];
  if (bound) {
    const oldest = BigInt(Date.parse(bound)) * 1_000_000n;
    return tell(`older than the bucket keeps, which is since ${bound}`, (p) => p.time !== null && p.time * NS[precision] < oldest);
  }
  return [];
}
