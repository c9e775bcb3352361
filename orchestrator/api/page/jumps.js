// Where to jump in the journal: the next and the previous row of a container, the next
// and the previous crash of one container or of the fleet. Each search is bounded by what
// the operator answers at a time, and can be aborted.

import { get } from "./api.js";

const PAGE = 1_000;
const STRETCH = 2_000;
const POINTS = 100;
const NARROWINGS_MAX = 8;
const STEPS_MAX = 60;

// Yield the rows of a container behind row `after`, up to row `until`. The operator looks
// at so many rows for one answer, and no more: each says where the next has to go on.
export async function* rowsOf(name, after, until, signal, limit = PAGE) {
  for (let at = after; at < until; ) {
    const { body, seq } = await get("/v1/events", { name, after: at, limit }, signal);
    for (const row of body) {
      if (row.seq > until) return;
      yield row;
    }
    if (seq === null || seq <= at) return;
    at = seq;
  }
}

// Return the next row of a container behind row `at`, or null.
export async function nextRow(name, at, head, signal) {
  for await (const row of rowsOf(name, at, head, signal, 1)) return row.seq;
  return null;
}

// Return the last row of a container before row `at`, or null; looks back by stretches
// that grow, never behind `base`, the row that the journal begins behind.
export async function previousRow(name, at, base, signal) {
  let size = PAGE;
  for (let until = at - 1; until > base; ) {
    const after = Math.max(base, until - size);
    const found = await lastRow(name, after, until, signal);
    if (found !== null) return found;
    until = after;
    size *= 4;
  }
  return null;
}

async function lastRow(name, after, until, signal) {
  let found = null;
  for await (const row of rowsOf(name, after, until, signal)) found = row.seq;
  return found;
}

// Return the row of the next crash (way 1) or the previous one (way -1), or null. Of a
// container where one is named, of any of the fleet otherwise.
export function crashRow({ name, at, way, base, head }, signal) {
  const from = way > 0 ? at : base;
  const until = way > 0 ? head : at - 1;
  if (from >= until) return null;
  return name ? crashOfOne(name, { from, until, way }, signal) : crashOfFleet({ from, until, way }, signal);
}

async function crashOfOne(name, { from, until, way }, signal) {
  const path = `/v1/containers/${encodeURIComponent(name)}/timeline`;
  let size = STRETCH;
  for (let low = from, high = until; low < high; size *= 4) {
    const part = way > 0 ? [low, Math.min(high, low + size)] : [Math.max(low, high - size), high];
    const found = await crashesWithin(path, part, signal);
    if (found.length > 0) return way > 0 ? found[0] : found.at(-1);
    if (way > 0) low = part[1];
    else high = part[0];
  }
  return null;
}

async function crashesWithin(path, [from, until], signal) {
  try {
    const { body } = await get(path, { from, until }, signal);
    const runs = body.containers?.[0]?.runs ?? [];
    return runs
      .filter((run) => run.crashed && run.ended_row > from && run.ended_row <= until)
      .map((run) => run.ended_row)
      .sort((a, b) => a - b);
  } catch (error) {
    // It may not have been there, or not yet.
    if (error.code === "container_not_found") return [];
    throw error;
  }
}

// Most crashes are near: look at stretches that grow, the nearest first.
async function crashOfFleet({ from, until, way }, signal) {
  let size = PAGE;
  for (let low = from, high = until; low < high; size *= 4) {
    const part = way > 0 ? [low, Math.min(high, low + size)] : [Math.max(low, high - size), high];
    const found = await crashInside(part, way, signal);
    if (found !== null) return found;
    if (way > 0) low = part[1];
    else high = part[0];
  }
  return null;
}

// Narrow down by what the plots are made of, until a stretch is few enough rows.
async function crashInside([from, until], way, signal) {
  let [low, high] = [from, until];
  for (let turn = 0; turn < NARROWINGS_MAX && high - low > STEPS_MAX; turn += 1) {
    const { body } = await get("/v1/history", { from: low, until: high, points: POINTS }, signal);
    const pieces = piecesOf(body.points, low).filter((piece) => piece.crashes > 0);
    if (pieces.length === 0) return null;
    const piece = way > 0 ? pieces[0] : pieces.at(-1);
    if (piece.low === low && piece.high === high) break;
    [low, high] = [piece.low, piece.high];
  }
  return stepwise(low, high, way, signal);
}

function piecesOf(points, from) {
  let low = from;
  return points.map(({ seq, crashes }) => {
    const piece = { low, high: seq, crashes };
    low = Math.max(low, seq);
    return piece;
  });
}

async function stepwise(low, high, way, signal) {
  const rows = await endings(low, high, signal);
  if (way < 0) rows.reverse();
  for (const seq of rows) {
    const { body } = await get(`/v1/steps/${seq}`, {}, signal);
    if (Object.values(body.changes).some(hasCrashed)) return seq;
  }
  return null;
}

async function endings(low, high, signal) {
  const { body } = await get("/v1/events", { after: low, limit: PAGE }, signal);
  return body.filter((row) => row.seq <= high && row.event.name !== undefined).map((row) => row.seq);
}

// Its total only ever rises; what counts against the limit may fall at the same moment.
function hasCrashed({ history }) {
  return (history?.after?.crashes_total ?? 0) > (history?.before?.crashes_total ?? 0);
}
