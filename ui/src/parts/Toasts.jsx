import { useEffect, useRef } from "preact/hooks";
import { Icon } from "./Icon.jsx";

const SHOWN_MS = 6000;

/** Short messages in a polite region; at most three, paused while pointed at or focused. */
export function Toasts({ items, onDone }) {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {items.slice(-3).map((item) => (
        <Toast key={item.id} item={item} onDone={onDone} />
      ))}
    </div>
  );
}

function Toast({ item, onDone }) {
  const timer = useRef(0);
  const start = () => {
    timer.current = setTimeout(() => onDone(item.id), SHOWN_MS);
  };
  const stop = () => clearTimeout(timer.current);
  useEffect(() => {
    start();
    return stop;
  }, []);
  return (
    <div class="toast" onPointerEnter={stop} onPointerLeave={start} onFocusIn={stop} onFocusOut={start}>
      {item.text}
      <button type="button" class="icon" aria-label="Dismiss" onClick={() => onDone(item.id)}><Icon name="close" /></button>
    </div>
  );
}
