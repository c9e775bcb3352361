// What becomes of the hosted operator, decided from what has happened to it.
//
//   stopped ──▶ starting ──▶ healthy ──▶ unhealthy
//      ▲           ▲   │        │            │ killed
//      │           │   └── end ─┴──── end ───┤
//      │        waiting ◀────────────────────┘
//      └─ end ─ stopping ◀─ not wanted, or to be started anew
//
// Nothing here has a clock, a container or a memory of its own: `step` takes a record and
// an event that says when, and returns the record that follows and what is to be done.

/** How long a start may take until it answers; an image may have to be fetched. */
export const START_LIMIT_MS = 180_000;

/** Questions in a row that are not answered well before it counts as unhealthy. */
export const MISSES_MAX = 3;

/** Before it is started again after an end: at first, and at most. */
export const BACKOFF_MS = [1_000, 300_000];

/** Who was healthy for so long begins anew with the shortest wait. */
export const STEADY_MS = 600_000;

/** After a request to stop it is killed; it needs some seconds to leave in good order. */
export const GRACE_MS = 20_000;

/** Between two looks: where it starts, where it is healthy, where it is to be gone. */
export const LOOKS_MS = [1_000, 10_000, 1_000];

/** What is believed of an operator of which nothing is known: it is wanted. */
export const FRESH = {
  wanted: "running",
  state: "stopped",
  since: 0,
  starts: 0,
  restarts: 0,
  failures: 0,
  misses: 0,
  healthy_at: null,
  due: null,
  last_end: null,
  stopped_by: null,
};

/** The states in which a container runs, as far as is known. */
const ALIVE = new Set(["starting", "healthy", "unhealthy", "stopping"]);

/** @returns {boolean} whether its container runs, as far as a record knows */
export function isAlive({ state }) {
  return ALIVE.has(state);
}

/** @returns {boolean} whether it is to be asked how it is */
export function isAsked({ state }) {
  return state === "starting" || state === "healthy";
}

/**
 * Say what follows from an event.
 *
 * Events, each with the moment `at` it is about:
 *   {type: "wanted", wanted, by} its owner wants it to be "running" or "stopped", or
 *                                the project does, which hosts it no more, or again
 *   {type: "looked", running}    the time has passed; whether its container runs
 *   {type: "answered", well}     it was asked how it is
 *   {type: "ended", end}         its container has ended, or could not be started
 *   {type: "outdated"}           it runs with what is not current any more
 *
 * @returns {{record: object, does: string[]}} `does`: "start", "signal", "destroy"
 */
export function step(record, event) {
  switch (event.type) {
    case "wanted":
      return wanted(record, event);
    case "looked":
      return looked(record, event);
    case "answered":
      return answered(record, event);
    case "ended":
      return ended(record, event);
    case "outdated":
      return isAsked(record) ? leaving(record, event.at) : stays(record);
    default:
      throw new TypeError(`no such event: ${event.type}`);
  }
}

/** @returns {number | null} when it is to be looked at again; null: when asked to */
export function nextLook({ state, wanted: wish, due }, now) {
  const [starting, healthy, leaves] = LOOKS_MS;
  switch (state) {
    case "stopped":
      return wish === "running" ? now : null;
    case "waiting":
      return due;
    case "healthy":
      return now + healthy;
    case "starting":
      return Math.min(due, now + starting);
    default:
      return now + leaves;
  }
}

/** @returns {number} how long to wait before a start, after so many failures in a row */
export function backoff(failures) {
  const [first, most] = BACKOFF_MS;
  return Math.min(most, first * 2 ** Math.min(30, Math.max(0, failures - 1)));
}

// Each event

function wanted(before, { wanted: wish, by = "owner", at }) {
  const record = { ...before, wanted: wish, stopped_by: wish === "stopped" ? by : null };
  if (wish === "stopped") {
    if (record.state === "waiting") return becomes(record, "stopped", at, { due: null });
    const leaves = isAlive(record) && record.state !== "stopping";
    return leaves ? leaving(record, at) : stays(record);
  }
  if (record.state === "waiting" || record.state === "stopped") return starting({ ...record, failures: 0 }, at);
  return stays(record);
}

function looked(record, { running, at }) {
  const { state, wanted: wish, due } = record;
  if (!isAlive(record) && running) {
    // It was started by nobody known: its object was lost, or deployed anew.
    const adopted = becomes(record, "starting", at, { due: at + START_LIMIT_MS, misses: 0 }).record;
    return wish === "stopped" ? leaving(adopted, at) : stays(adopted);
  }
  if (wish === "stopped" && isAsked(record)) return leaving(record, at);
  switch (state) {
    case "stopped":
      return wish === "running" ? starting(record, at) : stays(record);
    case "waiting":
      return at >= due ? starting(record, at) : stays(record);
    case "starting":
      return at >= due ? failing(record, at) : stays(record);
    case "healthy":
      return stays(steady(record, at));
    case "stopping":
      return at >= due ? stays(record, "destroy") : stays(record);
    default:
      return stays(record, "destroy");
  }
}

function answered(record, { well, at }) {
  const { state, misses } = record;
  if (state === "starting" && well) return becomes(record, "healthy", at, { healthy_at: at, misses: 0, due: null });
  if (state !== "healthy") return stays(record);
  if (well) return stays(steady(misses === 0 ? record : { ...record, misses: 0 }, at));
  const missed = { ...record, misses: misses + 1 };
  return missed.misses < MISSES_MAX ? stays(missed) : failing(missed, at);
}

function ended(record, { end, at }) {
  if (!isAlive(record)) return stays(record);
  const { state, wanted: wish } = steady(record, at);
  const kind = { unhealthy: "unhealthy", stopping: "stopped" }[state] ?? end.kind;
  const told = { ...end, kind, at, ...(kind === end.kind ? {} : { was: end.kind }) };
  const over = { last_end: told, healthy_at: null, misses: 0 };
  if (wish === "stopped") return becomes(record, "stopped", at, { ...over, failures: 0, due: null });
  if (state === "stopping") return becomes(record, "waiting", at, { ...over, failures: 0, due: at });
  // It ends so by itself only where the fleet was brought down: another one would start it.
  if (state !== "unhealthy" && isDown(end)) return becomes(record, "stopped", at, { ...over, failures: 0, due: null, wanted: "stopped", stopped_by: "down" });
  const failures = steady(record, at).failures + 1;
  return becomes(record, "waiting", at, { ...over, failures, due: at + backoff(failures) });
}

/** Whether an operator has ended because its fleet was brought down (see its exit codes). */
function isDown({ kind, code }) {
  return kind === "exited" && code === 0;
}

// What they come to

function starting(record, at) {
  const { starts, restarts, failures } = record;
  const counts = { starts: starts + 1, restarts: restarts + (failures > 0 ? 1 : 0) };
  return becomes(record, "starting", at, { ...counts, due: at + START_LIMIT_MS, misses: 0 }, "start");
}

function failing(record, at) {
  return becomes(record, "unhealthy", at, { due: null }, "destroy");
}

function leaving(record, at) {
  return becomes(record, "stopping", at, { due: at + GRACE_MS }, "signal");
}

/** Forget failures that lie before a long time of health. */
function steady(record, at) {
  const isLong = record.failures > 0 && record.healthy_at !== null && at - record.healthy_at >= STEADY_MS;
  return isLong ? { ...record, failures: 0 } : record;
}

function becomes(record, state, at, changes, ...does) {
  return { record: { ...record, ...changes, state, since: at }, does };
}

function stays(record, ...does) {
  return { record, does };
}
