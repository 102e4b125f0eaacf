import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "./Icon.jsx";

// Where one dialog follows another its opener went with the first: what opened the first is the opener of both.
let last = null;

/** What has the focus, and where it stands in a table, whose row may be gone afterwards. */
function openerNow() {
  const element = document.activeElement;
  if (!element || element === document.body || element.closest("dialog:not([open])")) return last;
  const row = element.closest("tr[aria-rowindex]");
  return { element, box: row?.closest(".table-box"), index: Number(row?.getAttribute("aria-rowindex")) };
}

/** Back to the opener, else to its row's successor, else to the heading. */
function giveBack({ element, box, index }) {
  if (document.querySelector("dialog[open]") || (document.activeElement && document.activeElement !== document.body && document.activeElement !== element)) return;
  if (element.isConnected && element !== document.body) {
    element.focus();
    return;
  }
  const rows = box?.isConnected ? [...box.querySelectorAll("tr[aria-rowindex]")].filter((row) => row.closest("tbody")) : [];
  const next = rows.find((row) => Number(row.getAttribute("aria-rowindex")) === index) ?? rows.at(-1);
  (next?.querySelector('[aria-haspopup="menu"]') ?? document.querySelector("h1"))?.focus();
}

/**
 * A modal dialog: labelled, focus on the first field (or on `focus`), back to the opener on closing.
 * `onClose` is asked for Esc, the backdrop and the Close button; it may refuse by doing nothing. Without it the
 * dialog stays until its work is done.
 */
export function Dialog({ title, onClose, children, wide = false, side = false, footer, initialFocus }) {
  const ref = useRef(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    const opener = openerNow() ?? { element: document.body };
    last = opener;
    dialog.showModal();
    const first = (initialFocus && dialog.querySelector(initialFocus)) || dialog.querySelector("[data-first], .dialog-body :is(input, textarea, select):not([type='hidden'])");
    (first ?? dialog.querySelector("h2")).focus();
    return () => {
      dialog.close();
      // Rows that go with the dialog go in the same moment; who has the next place is known a little later.
      setTimeout(() => giveBack(opener));
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={`dialog${wide ? " wide" : ""}${side ? " side" : ""}`}
      aria-labelledby={id}
      onKeyDown={(event) => {
        // Taken here: after a refused `cancel` the browser closes by itself at the next Esc, and asks nobody.
        if (event.key !== "Escape") return;
        event.preventDefault();
        onClose?.();
      }}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onClick={(event) => {
        if (event.target === ref.current) onClose?.();
      }}
    >
      <div class="dialog-in">
        <header>
          <h2 id={id} tabIndex={-1}>{title}</h2>
          {onClose && <button type="button" class="icon" aria-label="Close" onClick={onClose}><Icon name="close" /></button>}
        </header>
        <div class="dialog-body">{children}</div>
        {footer && <footer>{footer}</footer>}
      </div>
    </dialog>
  );
}

/** Asks before something that cannot be undone; focus starts on Cancel. `typed`: text that must be typed first. */
export function Confirm({ title, action, tone = "danger", onConfirm, onClose, busy, error, children, typed, value, onValue }) {
  const blocked = typed !== undefined && value !== typed;
  return (
    <Dialog
      title={title}
      onClose={onClose}
      initialFocus="[data-cancel]"
      footer={
        <>
          <button type="button" data-cancel onClick={onClose}>Cancel</button>
          <button type="button" class={tone} disabled={blocked || busy} aria-busy={busy} onClick={onConfirm}>{action}</button>
        </>
      }
    >
      {error && <p class="alert bad" role="alert">{error}</p>}
      {children}
      {typed !== undefined && (
        <label class="field">
          <span>Type <code>{typed}</code> to confirm</span>
          <input value={value} onInput={(e) => onValue(e.currentTarget.value)} autocomplete="off" spellcheck={false} />
        </label>
      )}
    </Dialog>
  );
}
