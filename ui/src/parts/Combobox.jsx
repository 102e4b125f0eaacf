import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import { watchMoves } from "./floating.js";

const GAP = 4;
// More than these are narrowed by typing.
const MOST = 50;

/**
 * A field with a list to pick from that typing narrows: arrows, Home, End, Enter, Esc.
 * `options`: {value, text, note}; `onPick(value)`; `free`: what was typed counts too, as it stands.
 */
export function Combobox({ label, hideLabel = false, hint, error, options, value, onPick, free = false, className = "field", ...input }) {
  const id = useId();
  const box = useRef(null);
  const list = useRef(null);
  const [text, setText] = useState(null);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  const chosen = options.find((one) => one.value === value);
  const shown = text ?? chosen?.text ?? (free ? value : "");
  const words = (text ?? "").toLowerCase();
  const found = options.filter((one) => one.text.toLowerCase().includes(words));
  const drawn = found.slice(0, MOST);

  useLayoutEffect(() => {
    if (!open) return undefined;
    const field = box.current.getBoundingClientRect();
    const popup = list.current;
    popup.style.minWidth = `${field.width}px`;
    const below = field.bottom + GAP + popup.offsetHeight <= window.innerHeight || field.top < window.innerHeight / 2;
    popup.style.maxHeight = `${Math.min(320, below ? window.innerHeight - field.bottom - 2 * GAP : field.top - 2 * GAP)}px`;
    popup.style.top = `${below ? field.bottom + GAP : field.top - GAP - popup.offsetHeight}px`;
    popup.style.left = `${Math.max(GAP, Math.min(field.left, window.innerWidth - popup.offsetWidth - GAP))}px`;
  }, [open, text]);
  useEffect(() => (open ? watchMoves(list.current, () => setOpen(false)) : undefined), [open]);
  useEffect(() => {
    if (open && at >= 0) list.current?.children[at]?.scrollIntoView({ block: "nearest" });
  }, [open, at]);

  const show = () => {
    setAt(drawn.findIndex((one) => one.value === value));
    setOpen(true);
  };
  const shut = () => {
    setOpen(false);
    setText(null);
    setAt(-1);
  };
  const pick = (one) => {
    shut();
    onPick(one);
  };
  const onKeyDown = (event) => {
    const last = drawn.length - 1;
    const steps = { ArrowDown: at >= last ? 0 : at + 1, ArrowUp: at <= 0 ? last : at - 1 };
    if (event.key in steps) {
      event.preventDefault();
      if (open) setAt(steps[event.key]);
      else show();
    } else if (open && (event.key === "Home" || event.key === "End")) {
      event.preventDefault();
      setAt(event.key === "Home" ? 0 : last);
    } else if (event.key === "Escape" && open) {
      // The list goes, the dialog around it stays.
      event.preventDefault();
      event.stopPropagation();
      shut();
    } else if (event.key === "Enter") {
      if (open && drawn[at]) {
        event.preventDefault();
        pick(drawn[at].value);
      } else if (free && text !== null) pick(text);
      else if (open) event.preventDefault();
    }
  };
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return (
    <div class={className}>
      <label for={id} class={hideLabel ? "visually-hidden" : undefined}>{label}</label>
      <input
        {...input}
        id={id}
        ref={box}
        class="combobox"
        role="combobox"
        aria-autocomplete="list"
        aria-expanded={open}
        aria-controls={open ? `${id}-list` : undefined}
        aria-activedescendant={open && drawn[at] ? `${id}-${at}` : undefined}
        aria-invalid={error ? "true" : undefined}
        aria-describedby={described}
        autocomplete="off"
        spellcheck={false}
        value={shown}
        onFocus={(e) => e.currentTarget.select()}
        onClick={() => !open && show()}
        onInput={(e) => {
          setText(e.currentTarget.value);
          setAt(free || !e.currentTarget.value ? -1 : 0);
          setOpen(true);
        }}
        onKeyDown={onKeyDown}
        onBlur={() => (free && text !== null ? pick(text) : shut())}
      />
      {open && (
        <ul id={`${id}-list`} ref={list} role="listbox" aria-label={label} class="options" onPointerDown={(e) => e.preventDefault()}>
          {drawn.map((one, i) => (
            <li key={one.value} id={`${id}-${i}`} role="option" aria-selected={one.value === value} class={i === at ? "at" : undefined} onClick={() => pick(one.value)}>
              {one.text} {one.note && <small>{one.note}</small>}
            </li>
          ))}
          {found.length > MOST && <li role="option" aria-disabled="true" aria-selected="false" class="mute">and {(found.length - MOST).toLocaleString("en")} more: type to narrow</li>}
          {found.length === 0 && <li role="option" aria-disabled="true" aria-selected="false" class="mute">{free ? "None of the known ones; taken as typed" : "Nothing matches"}</li>}
        </ul>
      )}
      {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
      {error && <p class="error" id={`${id}-error`}>{error}</p>}
    </div>
  );
}
