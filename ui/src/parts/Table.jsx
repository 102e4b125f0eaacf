import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

const ROW = 34;
const OVERSCAN = 12;
// Fewer rows take no more height than they need.
const FEW = 4;

/**
 * A real table whose rows are only drawn where they are seen.
 * `columns`: {id, label, sort, cell(row), class}; `rows` sorted; `sort`: {id, dir}; `onSort(id)`.
 */
export function Table({ label, columns, rows, rowKey, sort, onSort, selected, onSelect, onSelectAll, highlight, busy, stale, rowName }) {
  const box = useRef(null);
  const [view, setView] = useState({ top: 0, height: 800 });
  const found = useRef("");

  useLayoutEffect(() => {
    const element = box.current;
    const measure = () => setView((old) => ({ ...old, height: element.clientHeight || 800 }));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    // Once for each: who has scrolled on is not called back when the rows are loaded anew.
    if (!highlight || found.current === highlight) return;
    const at = rows.findIndex((row) => rowKey(row) === highlight);
    if (at < 0) return;
    found.current = highlight;
    box.current.scrollTop = Math.max(0, at * ROW - view.height / 2);
  }, [highlight, rows]);

  const first = Math.max(0, Math.floor(view.top / ROW) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW) + OVERSCAN);
  const all = selected && rows.length > 0 && rows.every((row) => selected.has(rowKey(row)));
  const some = selected && !all && rows.some((row) => selected.has(rowKey(row)));
  const width = columns.length + (selected ? 1 : 0);
  return (
    <div class={`table-box${stale ? " stale" : ""}${rows.length < FEW ? " few" : ""}`} ref={box} tabIndex={0} role="region" aria-label={label} onScroll={(e) => setView({ top: e.currentTarget.scrollTop, height: e.currentTarget.clientHeight })}>
      <table aria-rowcount={rows.length + 1} aria-busy={busy}>
        <thead>
          <tr aria-rowindex={1}>
            {selected && (
              <th class="narrow" scope="col">
                <input
                  type="checkbox"
                  aria-label="Select all shown"
                  checked={all}
                  ref={(e) => {
                    if (e) e.indeterminate = Boolean(some);
                  }}
                  onChange={() => onSelectAll(!all)}
                />
              </th>
            )}
            {columns.map((column) => (
              <th key={column.id} scope="col" class={column.class} aria-sort={sort?.id === column.id ? (sort.dir === "asc" ? "ascending" : "descending") : undefined}>
                {column.sort ? (
                  <button type="button" class="sort" onClick={() => onSort(column.id)}>
                    {column.label}
                    <span aria-hidden="true">{sort?.id === column.id ? (sort.dir === "asc" ? " ▲" : " ▼") : ""}</span>
                  </button>
                ) : column.label ? column.label : <span class="visually-hidden">Actions</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {first > 0 && <Spacer rows={first} width={width} />}
          {rows.slice(first, last).map((row, i) => {
            const key = rowKey(row);
            return (
              <tr key={key} data-testid="row" aria-rowindex={first + i + 2} class={highlight === key ? "fresh" : undefined} style={{ height: `${ROW}px` }}>
                {selected && (
                  <td class="narrow">
                    <input type="checkbox" aria-label={`Select ${rowName(row)}`} checked={selected.has(key)} onChange={() => onSelect(key)} />
                  </td>
                )}
                {columns.map((column) => (
                  <td key={column.id} class={column.class}>{column.cell(row)}</td>
                ))}
              </tr>
            );
          })}
          {last < rows.length && <Spacer rows={rows.length - last} width={width} />}
        </tbody>
      </table>
    </div>
  );
}

function Spacer({ rows, width }) {
  return (
    <tr aria-hidden="true" class="spacer" style={{ height: `${rows * ROW}px` }}>
      <td colSpan={width} />
    </tr>
  );
}

/** Sorted copy: by a column's value, nulls last, ties by id. */
export function sorted(rows, value, dir) {
  const sign = dir === "desc" ? -1 : 1;
  const text = new Intl.Collator("en", { sensitivity: "base", numeric: true });
  const keyed = rows.map((row) => [value(row), row]);
  keyed.sort(([a, x], [b, y]) => {
    if (a == null || b == null) return a == null ? (b == null ? (x.id < y.id ? -1 : 1) : 1) : -1;
    const order = typeof a === "string" ? text.compare(a, b) : a - b;
    return order ? sign * order : x.id < y.id ? -1 : 1;
  });
  return keyed.map(([, row]) => row);
}
