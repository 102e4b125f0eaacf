// What the page remembers between visits: looks only, never anything secret.

const NAMES = { theme: "fk.theme", tz: "fk.tz", org: "fk.org", columns: "fk.columns", system: "fk.system", keys: "fk.keys" };

/** A remembered value, or the fallback where storage is closed to us. */
export function recall(name, fallback) {
  try {
    const text = localStorage.getItem(NAMES[name]);
    return text === null ? fallback : JSON.parse(text);
  } catch {
    return fallback;
  }
}

/** Remember a value; storage that is closed to us is no failure. */
export function remember(name, value) {
  try {
    localStorage.setItem(NAMES[name], JSON.stringify(value));
  } catch {
    // Private windows may refuse; the choice then lasts as long as the page.
  }
}
