import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { watchMoves } from "./floating.js";

const GAP = 4;

/** A button with a menu: arrows, Home, End, first letters, Esc. Items: {label, onSelect, danger, reason}. */
export function Menu({ label, children, items, align = "right", className = "" }) {
  const [open, setOpen] = useState(false);
  const root = useRef(null);
  const button = useRef(null);
  const id = useId();
  const entries = () => [...root.current.querySelectorAll('[role="menuitem"]')];

  // Fixed to the window, so that no scrolling box and no table cell cuts it off; upwards where there is no room below.
  useLayoutEffect(() => {
    if (!open) return undefined;
    const list = root.current.querySelector('[role="menu"]');
    const at = button.current.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = list;
    const below = at.bottom + GAP + height <= window.innerHeight;
    list.style.top = `${Math.max(GAP, below ? at.bottom + GAP : at.top - GAP - height)}px`;
    const left = align === "right" ? at.right - width : at.left;
    list.style.left = `${Math.max(GAP, Math.min(left, window.innerWidth - width - GAP))}px`;
    entries()[0]?.focus({ preventScroll: true });
    return watchMoves(null, () => setOpen(false));
  }, [open]);
  useEffect(() => {
    if (!open) return undefined;
    const outside = (event) => {
      if (!root.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open]);

  const close = () => {
    setOpen(false);
    button.current.focus();
  };
  const move = (to) => {
    const all = entries();
    all[(to + all.length) % all.length]?.focus();
  };
  const onKeyDown = (event) => {
    const all = entries();
    const at = all.indexOf(document.activeElement);
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
    if (event.key in steps) {
      event.preventDefault();
      move(steps[event.key]);
    } else if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else if (event.key === "Tab") {
      setOpen(false);
    } else if (event.key.length === 1 && /\S/.test(event.key)) {
      const found = [...all.slice(at + 1), ...all.slice(0, at + 1)].find((one) =>
        one.textContent.trim().toLowerCase().startsWith(event.key.toLowerCase()),
      );
      found?.focus();
    }
  };
  return (
    <div class={`menu ${className}`} ref={root}>
      <button
        type="button"
        ref={button}
        class={label ? "icon" : undefined}
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") {
            event.preventDefault();
            setOpen(true);
          }
        }}
      >
        {children}
      </button>
      {open && (
        <div id={id} role="menu" class="menu-list" onKeyDown={onKeyDown}>
          {items.filter(Boolean).map((item) => (
            <button
              type="button"
              role="menuitem"
              tabIndex={-1}
              key={item.label}
              class={item.danger ? "danger-text" : undefined}
              aria-disabled={item.reason ? "true" : undefined}
              title={item.reason}
              onClick={() => {
                if (item.reason) return;
                close();
                item.onSelect();
              }}
            >
              {item.label}
              {item.reason && <small>{item.reason}</small>}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
