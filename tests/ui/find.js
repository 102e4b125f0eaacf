// arguments: role, name, exact. Gives the visible elements of that role and name, inside the open dialog if there is one.
const [role, name, exact] = arguments;
const SELECTORS = {
  alert: '[role="alert"]',
  button: 'button:not([role])',
  checkbox: 'input[type="checkbox"]',
  columnheader: "th",
  combobox: 'select, [role="combobox"]',
  dialog: "dialog[open]",
  heading: "h1, h2, h3",
  link: "a[href]",
  menuitem: '[role="menuitem"]',
  note: '[role="note"]',
  option: '[role="option"]',
  region: 'section[aria-label], [role="region"]',
  status: '[role="status"]',
  summary: "summary",
  switch: '[role="switch"]',
  tab: '[role="tab"]',
  textbox: 'input:not([type="checkbox"]):not([role="combobox"]), textarea',
};
const flat = (text) => (text ?? "").replace(/\s+/g, " ").trim();
const nameOf = (e) => {
  const by = e.getAttribute("aria-labelledby");
  if (by) return flat(by.split(" ").map((id) => document.getElementById(id)?.textContent).join(" "));
  if (e.hasAttribute("aria-label")) return flat(e.getAttribute("aria-label"));
  if (e.labels?.length) return flat([...e.labels].map((l) => (l.querySelector("span") ?? l).textContent).join(" "));
  return flat(e.textContent);
};
const dialogs = document.querySelectorAll("dialog[open]");
const root = role === "dialog" || role === "status" || !dialogs.length ? document : dialogs[dialogs.length - 1];
return [...root.querySelectorAll(SELECTORS[role])].filter((e) => {
  // What a closed group holds has boxes, and cannot be seen all the same.
  if (!e.getClientRects().length || !e.checkVisibility()) return false;
  return name === null || (exact ? nameOf(e) === name : nameOf(e).includes(name));
});
