// A small time plot, loaded only where one is shown.

import uPlot from "uplot";
import { absolute, boundsOf } from "../lib/time.js";

const COLOURS = {
  light: ["#1857c4", "#b3261e", "#116a3c", "#8a4b00", "#7a2fb0", "#0b6f7d", "#a8326b", "#4a5568"],
  dark: ["#7fb0ff", "#ff8a80", "#5fd39a", "#f0b35c", "#c79bf2", "#62d0e0", "#f59ac0", "#b4c0d2"],
};
const DASHES = [[], [6, 4], [2, 3]];
const SERIES_MAX = 100;

/** Draws the tables' `_value` over `_time`, one line per table; describes itself to assistive technology. */
export function draw(box, tables, tz) {
  const lines = tables.slice(0, SERIES_MAX).map((table) => {
    const at = (label) => table.columns.findIndex((c) => c.label === label);
    const [time, value] = [at("_time"), at("_value")];
    const keys = table.columns.filter((c) => c.group && !["_start", "_stop", "_measurement", "_field"].includes(c.label));
    return {
      name: keys.map((c) => `${c.label}=${table.rows[0]?.[at(c.label)]}`).join(" ") || "value",
      points: table.rows.map((row) => [Date.parse(row[time]) / 1000, row[value] === null ? null : Number(row[value])]),
    };
  });
  const times = [...new Set(lines.flatMap((line) => line.points.map(([t]) => t)))].sort((a, b) => a - b);
  const index = new Map(times.map((t, i) => [t, i]));
  const data = [times];
  for (const line of lines) {
    const values = new Array(times.length).fill(undefined);
    for (const [t, v] of line.points) values[index.get(t)] = v;
    data.push(values);
  }
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--mute").trim();
  const grid = style.getPropertyValue("--line").trim();
  const colours = COLOURS[style.colorScheme.includes("dark") ? "dark" : "light"];
  const all = lines.flatMap((line) => line.points.map(([, v]) => v)).filter((v) => v !== null && Number.isFinite(v));
  const [least, most] = all.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
  const at = (seconds) => new Date(seconds * 1000);
  const last = lines[0]?.points.at(-1)?.[1];
  box.setAttribute("role", "img");
  box.setAttribute(
    "aria-label",
    `Plot of ${lines.length} series, ${all.length} points, ${all.length ? `from ${least} to ${most}, newest ${last}, ` : ""}between ${absolute(at(times[0]), tz)} and ${absolute(at(times.at(-1)), tz)}`,
  );
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid } };
  return new uPlot(
    {
      width: box.clientWidth || 400,
      height: 220,
      tzDate: tz === "UTC" ? (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC") : (ts) => new Date(ts * 1000),
      legend: { show: lines.length > 1 && lines.length <= 8, live: false },
      // Around a single instant the library would draw years.
      scales: times.length === 1 ? { x: { range: () => boundsOf(times) } } : {},
      axes: [axis, { ...axis, size: 60 }],
      series: [
        {},
        ...lines.map((line, i) => ({
          label: line.name,
          stroke: colours[i % colours.length],
          dash: DASHES[Math.floor(i / colours.length) % DASHES.length],
          width: 1.5,
          spanGaps: false,
          points: { show: line.points.length < 60 },
        })),
      ],
    },
    data,
    box,
  );
}
