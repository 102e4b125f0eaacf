import { useEffect, useId, useRef } from "preact/hooks";
import { Icon } from "./Icon.jsx";

/**
 * A modal dialog: labelled, focus on the first field (or on `focus`), back to the opener on closing.
 * `onClose` is asked for Esc, the backdrop and the Close button; it may refuse by doing nothing.
 */
export function Dialog({ title, onClose, children, wide = false, side = false, footer, initialFocus }) {
  const ref = useRef(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    const opener = document.activeElement;
    dialog.showModal();
    const first = (initialFocus && dialog.querySelector(initialFocus)) || dialog.querySelector("[data-first], input, textarea, select");
    (first ?? dialog.querySelector("h2")).focus();
    return () => {
      dialog.close();
      // Where one dialog follows another the opener went with the first, and the body is what is left of it.
      if (opener?.isConnected && opener !== document.body) opener.focus();
      else document.querySelector("h1")?.focus();
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
        onClose();
      }}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === ref.current) onClose();
      }}
    >
      <div class="dialog-in">
        <header>
          <h2 id={id} tabIndex={-1}>{title}</h2>
          <button type="button" class="icon" aria-label="Close" onClick={onClose}><Icon name="close" /></button>
        </header>
        <div class="dialog-body">{children}</div>
        {footer && <footer>{footer}</footer>}
      </div>
    </dialog>
  );
}

/** Asks before something that cannot be undone; focus starts on Cancel. `typed`: text that must be typed first. */
export function Confirm({ title, action, onConfirm, onClose, busy, error, children, typed, value, onValue }) {
  const blocked = typed !== undefined && value !== typed;
  return (
    <Dialog
      title={title}
      onClose={onClose}
      initialFocus="[data-cancel]"
      footer={
        <>
          <button type="button" data-cancel onClick={onClose}>Cancel</button>
          <button type="button" class="danger" disabled={blocked || busy} aria-busy={busy} onClick={onConfirm}>{action}</button>
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
