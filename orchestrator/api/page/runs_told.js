// The runs of a timeline as lanes: which stretch was what, which wait came before which
// run, and what there is to say of each. No drawing here.

import { duration, showExact } from "./times.js";
import { plain } from "./words.js";

// How much of the future is drawn, at most, as a share of what is drawn of the past.
const AHEAD = 0.5;
const RESTING = new Set(["stopped", "completed", "failed", "asleep"]);

// Return a lane a run, the oldest first; last the wait that goes on, if one does.
export function lanesOf(course) {
  const lanes = [];
  let ended = -Infinity;
  for (const run of course.runs) {
    const between = (wait) => wait.since_at >= ended && wait.until_at !== null && wait.until_at <= run.commanded_at;
    const waited = course.waits.filter((wait) => between(wait) && !RESTING.has(wait.phase));
    lanes.push(laneOf(run, waited, course.spans));
    ended = run.ended_at ?? Infinity;
  }
  const open = course.waits.at(-1);
  if (open !== undefined && open.until_at === null && !RESTING.has(open.phase)) {
    const until = open.planned_until_at ?? Infinity;
    const pieces = [{ kind: "wait", from: open.since_at, until: until === Infinity ? null : until }];
    lanes.push({ run: null, wait: open, waited: [], from: open.since_at, until, pieces });
  }
  return lanes;
}

function laneOf(run, waited, spans) {
  const pieces = waited.map((wait) => ({ kind: "wait", from: wait.since_at, until: wait.until_at }));
  const begun = run.commanded_at ?? run.started_at;
  const stopping = spans.find(
    (span) => span.run === run.run && span.phase === "stopping",
  )?.since_at ?? run.ended_at;
  const started = run.started_at ?? run.ready_at ?? stopping;
  const ready = run.ready_at ?? stopping;
  const add = (kind, from, until) => {
    if (from !== null && from !== until && (until === null || until > from)) pieces.push(
      { kind, from, until },
    );
  };
  add("starting", begun, started);
  add("unready", run.started_at, ready);
  add("ready", run.ready_at, stopping);
  if (stopping !== run.ended_at) add("stopping", stopping, run.ended_at);
  if (pieces.every((piece) => piece.kind === "wait")) pieces.push(
    { kind: "unready", from: begun, until: run.ended_at },
  );
  return { run, wait: null, waited, from: pieces[0].from, until: run.ended_at ?? Infinity, pieces };
}

// Return the stretch of time to draw for a choice: the newest runs, some ms, or all.
export function windowOf(lanes, span, told, most) {
  const last = lanes.at(-1);
  const planned = last.run === null && last.until !== Infinity ? last.until : told.now;
  // A long wait to come must not press what has happened against the edge.
  const margin = (from) => {
    const ahead = Math.min(Math.max(0, planned - told.now), (told.now - from) * AHEAD);
    return { from, until: told.now + ahead + Math.max(50, (told.now + ahead - from) * 0.04) };
  };
  if (span === "runs") return margin(lanes.slice(-Math.min(8, most))[0].from);
  if (span === "all") return margin(lanes[0].from);
  return margin(told.now - Number(span));
}

// Return how a run ended: glyph and words, and a tone.
export function glyphOfEnd(run) {
  if (run.fate === null) return { text: "", tone: "" };
  if (run.crashed) return { text: `✕ ${shortened(run.exit_text)}`, tone: "bad-text" };
  const isWell = run.exit?.type === "exited" && run.exit.code === 0;
  return { text: `${isWell ? "✓" : "■"} ${shortened(run.exit_text ?? plain(run.fate))}`, tone: "" };
}

function shortened(text) {
  return text.length > 24 ? `${text.slice(0, 23)}…` : text;
}

// Say in one line what a run was.
export function factsOfRun(run, waited) {
  const parts = [`Run ${run.run}, revision ${run.revision}`];
  const wait = waited.reduce((sum, one) => sum + one.waited_ms, 0);
  if (wait > 0) parts.push(`waited ${duration(wait)} before it`);
  if (run.commanded_at !== null) parts.push(`start commanded ${showExact(run.commanded_at)}`);
  if (run.started_at !== null && run.commanded_at !== null) parts.push(
    `started after ${duration(run.started_at - run.commanded_at)}`,
  );
  if (run.ready_at !== null && run.started_at !== null) parts.push(
    `ready after another ${duration(run.ready_at - run.started_at)}`,
  );
  if (run.ready_at === null) parts.push(run.fate === null ? "not ready yet" : "was never ready");
  if (run.fate === null) parts.push("goes on");
  else parts.push(
    `ended after ${duration(run.uptime_ms ?? 0)}: ${run.exit_text ?? plain(run.fate)}${run.crashed ? " (a crash)" : ""}`,
  );
  return `${parts.join("; ")}.`;
}

// Say in one line what is waited for.
export function factsOfWait(wait, now) {
  const why = wait.because === null ? "" : ` because ${wait.because}`;
  const attempt = wait.attempt > 0 ? `, wait ${wait.attempt} in a row` : "";
  if (wait.planned_until_at === null) {
    const lasts = duration(Math.max(0, now - wait.since_at));
    return `It is ${plain(wait.phase)} since ${lasts}${why}; no start is planned.`;
  }
  const planned = showExact(wait.planned_until_at);
  const length = duration(wait.planned_until_at - wait.since_at);
  return `The next start is planned at ${planned}, after ${length}${attempt},${why}.`;
}
