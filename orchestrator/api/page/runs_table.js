// The runs of a container as a table, the newest first: all that the drawing shows.

import { el } from "./dom.js";
import { lanesOf } from "./runs_told.js";
import { duration, moment } from "./times.js";

const ROWS_MAX = 200;
const HEADS = [
  "run",
  "revision",
  "waited before",
  "commanded",
  "started after",
  "ready after",
  "ended",
  "ran for",
  "exit",
  "began because",
];

// Return the table.
export function runsTable(course) {
  const lanes = lanesOf(course).filter((lane) => lane.run !== null);
  return el(
    "table",
    { class: "plain" },
    el("caption", { class: "unseen" }, "Runs, the newest first"),
    el("thead", {}, el("tr", {}, HEADS.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, lanes.slice(-ROWS_MAX).reverse().map(row)),
  );
}

function row({ run, waited }) {
  const wait = waited.reduce((sum, one) => sum + one.waited_ms, 0);
  const cells = [
    run.revision,
    wait > 0 ? duration(wait) : "–",
    run.commanded_at === null ? "–" : moment(run.commanded_at),
    between(run.commanded_at, run.started_at),
    between(run.started_at, run.ready_at),
    run.ended_at === null ? "–" : moment(run.ended_at),
    run.uptime_ms === null ? "–" : lasted(run.uptime_ms),
    run.exit_text === null ? (run.fate ?? "goes on") : `${run.exit_text}${run.crashed ? " (crash)" : ""}`,
    run.because ?? "–",
  ];
  return el("tr", {}, el("th", { scope: "row" }, run.run), cells.map((cell) => el("td", {}, cell)));
}

function between(from, until) {
  return from === null || until === null ? "–" : lasted(until - from);
}

function lasted(ms) {
  return ms === 0 ? "0 s" : duration(ms);
}
