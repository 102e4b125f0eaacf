// Own icons, drawn on a grid of 16, in the colour of the text.

const PATHS = {
  copy: "M5 5V2.5h8.5V11H11 M2.5 5H11v8.5H2.5z",
  check: "M3 8.5l3.5 3.5L13 4.5",
  close: "M4 4l8 8 M12 4l-8 8",
  refresh: "M13 8a5 5 0 1 1-1.5-3.5 M13 2v3h-3",
  columns: "M2.5 3.5h11v9h-11z M6.2 3.5v9 M9.8 3.5v9",
  more: "M3.5 8h.01 M8 8h.01 M12.5 8h.01",
  pencil: "M3 13l.7-3L11 2.7l2.3 2.3L6 12.3z",
  theme: "M8 2.5a5.5 5.5 0 1 0 0 11z M8 2.5a5.5 5.5 0 0 1 0 11",
};

/** An icon that says nothing by itself: its button has the name. */
export function Icon({ name }) {
  return (
    <svg class="icon-svg" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width={name === "more" ? 2.4 : 1.5} stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
