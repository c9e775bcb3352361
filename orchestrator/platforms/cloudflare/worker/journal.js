// What the Worker does for the paths of the journal and of the lease: bodies are read and
// checked here, and the registry of the fleet is asked once.
//
// Rows travel as lines of an export (NDJSON). Only their frame is looked at, which is the
// same in all of them; the inside is covered by the digest, and read by clients alone.

import { full, isFullError } from "./archive.js";
import { withBody } from "./bodies.js";
import { BODIES, EPOCH_MAX, PARTS_MAX, PART_MAX, misplaced, numberOf, outOfBounds } from "./bounds.js";
import { objectIn, raw, readBytes, refuse } from "./http.js";

/** Bytes of one row. */
const ROW_MAX = 16_777_216;

/** Bytes of the rows of an append, unless it is a single one. */
const APPEND_MAX = 4_194_304;

/** Bytes of the first line of an append, which says where its rows go. */
const FIRST_LINE_MAX = 1_024;

/** Rows of one answer: unless it says, and at most. */
const ROWS_TOLD = [1_000, 10_000];

/** For a row to come, or another holder of the lease. */
const AWAITED_MAX_MS = 25_000;

/** What a client has to know of the journal before it writes. */
export const JOURNAL = { format: 1, part: PART_MAX, row: ROW_MAX, append: APPEND_MAX };

/** How the line of a row begins, and how it ends; so much of it is looked at. */
const HEAD = { bytes: 64, pattern: /^\{"seq":([1-9]\d{0,15}),"at":\d{1,20},"event":/ };
const TAIL = { bytes: 78, pattern: /,"digest":"([0-9a-f]{64})"\}$/ };

/** Each path of the journal and of the lease, as the handlers of the gateway. */
export const JOURNAL_HANDLERS = {
  lease: { method: "GET", does: ({ registry }) => registry.leader() },
  "lease/renew": { method: "POST", does: withBody(BODIES.lease, ({ registry }, body) => registry.renew(body)) },
  "lease/release": { method: "POST", does: withBody(BODIES.lease, ({ registry }, body) => registry.release(body)) },
  journal: { method: "GET", does: ({ registry }) => registry.overview() },
  "journal/rows": [{ method: "GET", does: readRows }, { method: "POST", does: appendRows }],
  "journal/snapshots": { method: "POST", does: withBody(BODIES.snapshot, ({ registry }, body) => written(() => registry.keep(body))) },
  "journal/snapshots/*/*": [{ method: "GET", does: readPart }, { method: "PUT", does: stagePart }],
  "journal/base": { method: "POST", does: withBody(BODIES.base, ({ registry }, body) => written(() => registry.begin(body))) },
  "journal/end": { method: "POST", does: withBody(BODIES.end, ({ registry }, body) => written(() => registry.end(body))) },
};

/** Do something that writes; a storage that is full wrote nothing, and says so. */
async function written(step) {
  try {
    return await step();
  } catch (error) {
    // The runtime has rolled back all of it, and resets the object: only here can it be told.
    if (isFullError(error)) return full();
    throw error;
  }
}

async function readRows({ registry, query }) {
  const found = await registry.rows({
    after: numberOf(query, "after", 0, EPOCH_MAX),
    limit: Math.max(1, numberOf(query, "limit", ...ROWS_TOLD)),
    wait: numberOf(query, "wait_ms", 0, AWAITED_MAX_MS),
  });
  if (found.refused) return found;
  const { lines, last, head, lease } = found;
  return raw(new Blob([lines, `${JSON.stringify({ end: head, lease, last })}\n`]), "application/x-ndjson");
}

async function appendRows({ request, registry }) {
  const read = await readBytes(request, FIRST_LINE_MAX + ROW_MAX);
  if (read.refused) return read;
  const [first, ...lines] = linesOf(read.bytes);
  const wish = first.byteLength > FIRST_LINE_MAX ? misplaced("line 1", `at most ${FIRST_LINE_MAX} bytes`) : objectIn(first, "line 1");
  const wrong = wish.refused ? wish : outOfBounds(wish, BODIES.append);
  if (wrong) return wrong;
  const rows = rowsIn(lines, wish.expect.seq);
  return rows.refused ? rows : written(() => registry.append({ ...wish, rows }));
}

/** Take rows out of their lines: each is the next one behind *after*, or all are refused. */
function rowsIn(lines, after) {
  const rows = [];
  let bytes = 0;
  for (const [at, body] of lines.entries()) {
    const seq = after + 1 + at;
    const digest = digestOf(body, seq);
    if (digest === undefined) return misplaced(`line ${at + 2}`, "the next row, as an export has it");
    bytes += body.byteLength;
    const max = at === 0 ? ROW_MAX : APPEND_MAX;
    if (bytes > max) return refuse(413, "too_large", `expected at most ${max} bytes of rows`, { max });
    rows.push({ seq, digest, body });
  }
  return rows;
}

/** @returns {string | undefined} the digest in the line of a row; undefined: it is not that row */
function digestOf(line, seq) {
  const head = HEAD.pattern.exec(ascii(line.subarray(0, HEAD.bytes)));
  if (head === null || Number(head[1]) !== seq) return undefined;
  return TAIL.pattern.exec(ascii(line.subarray(-TAIL.bytes)))?.[1];
}

function ascii(bytes) {
  return new TextDecoder("latin1").decode(bytes);
}

/** @returns {Uint8Array[]} lines without their ends; at least one */
function linesOf(bytes) {
  const lines = [];
  for (let from = 0; from < bytes.byteLength || lines.length === 0; ) {
    const end = bytes.indexOf(10, from);
    const to = end === -1 ? bytes.byteLength : end;
    lines.push(bytes.subarray(from, to));
    from = to + 1;
  }
  return lines;
}

async function readPart({ registry, stars }) {
  const place = placeIn(stars);
  const body = place && (await registry.part(place));
  return body ? raw(body, "application/octet-stream") : refuse(404, "not_found", "no such part of a snapshot is kept");
}

async function stagePart({ request, registry, query, stars }) {
  const place = placeIn(stars);
  if (!place) return refuse(404, "not_found", "no such part of a snapshot");
  const epoch = numberIn(query.get("epoch"), EPOCH_MAX);
  if (epoch === undefined) return misplaced("epoch", `a whole number from 0 to ${EPOCH_MAX}`);
  const read = await readBytes(request, PART_MAX);
  if (read.refused) return read;
  if (read.bytes.byteLength === 0) return misplaced("body", "1 byte or more");
  return written(() => registry.stage({ epoch, ...place, body: read.bytes }));
}

/** @returns {{seq: number, part: number} | undefined} the place of a part in a path */
function placeIn([first, second]) {
  const seq = numberIn(first, EPOCH_MAX);
  const part = numberIn(second, PARTS_MAX - 1);
  return seq === undefined || part === undefined ? undefined : { seq, part };
}

function numberIn(text, max) {
  return /^(?:0|[1-9]\d{0,15})$/.test(text ?? "") && Number(text) <= max ? Number(text) : undefined;
}
