// What an order may hold: every name and size is bounded, anything else is refused.
//
// A check is a function of a value that returns what was expected, or undefined. What
// was found is never repeated: it may be a secret.

import { refuse } from "./http.js";

const NAME = /^(?!.*\.\.)[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;
const ENV_KEY = /^[A-Za-z_][A-Za-z0-9_]{0,255}$/;
const HINT = /^[a-z]{2,6}(?:-[a-z]{2})?$/;
const HEADER = /^[!#$%&'*+.^_`|~A-Za-z0-9-]{1,256}$/;

export const ENV_MAX = 512;
export const ENV_VALUE_MAX = 65_536;
export const WORDS_MAX = 256;
export const WORD_MAX = 8_192;
export const PORTS_MAX = 16;
/** Epochs and runs stay so far below what a number holds that nobody can use them up. */
export const EPOCH_MAX = 1_125_899_906_842_624;
export const DURATION_MAX = 10 * 365 * 86_400_000;
export const ORDERS_MAX = 100;
export const HEADERS_MAX = 32;
/** How long a question may give a container to answer. */
export const PROBE_MAX_MS = 25_000;
/** How long a lease lasts that is not renewed: at least, and at most. */
const LEASE_MS = [1_000, 600_000];
/** Bytes of a part of a row or of a snapshot: a value in a Durable Object holds 2 MB. */
export const PART_MAX = 1_048_576;
/** Parts of a snapshot. */
export const PARTS_MAX = 1_024;
/** Containers of one page of a list: Note [Pages] in looks.js says why so many. */
export const PAGE_MAX = 2_000;

/** The bounds, as the gateway tells them to its clients. */
export const LIMITS = {
  env: ENV_MAX,
  env_value: ENV_VALUE_MAX,
  words: WORDS_MAX,
  word: WORD_MAX,
  ports: PORTS_MAX,
  orders: ORDERS_MAX,
  page: PAGE_MAX,
};

const text = (max) => (value) =>
  typeof value === "string" && value.length <= max && !value.includes("\0") ? undefined : `text of at most ${max} characters`;
const matching = (pattern, what) => (value) => (typeof value === "string" && pattern.test(value) ? undefined : what);
const line = (max) => (value) => text(max)(value) ?? (/[\r\n]/.test(value) ? "one line" : undefined);
const whole = (min, max) => (value) =>
  Number.isSafeInteger(value) && value >= min && value <= max ? undefined : `a whole number from ${min} to ${max}`;
const flag = (value) => (typeof value === "boolean" ? undefined : "true or false");
const optional = (check) => (value) => (value === null || value === undefined ? undefined : check(value));
const listOf = (check, max) => (value) => {
  if (!Array.isArray(value) || value.length > max) return `an array of at most ${max}`;
  return value.map(check).find((wrong) => wrong !== undefined);
};
const tableOf = (key, check, max) => (value) => {
  if (!isObject(value) || Object.keys(value).length > max) return `a table of at most ${max}`;
  const wrong = Object.keys(value).map(key).find((found) => found !== undefined);
  return wrong ?? Object.values(value).map(check).find((found) => found !== undefined);
};
const some = (check) => (value) => check(value) ?? (value.length === 0 ? "one or more" : undefined);
const shape = (fields) => (value) => {
  if (!isObject(value)) return "a table";
  const wrong = misfit(value, fields);
  return wrong && `${wrong.place}: ${wrong.expected}`;
};

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

const name = matching(NAME, "a name of a-z, 0-9, '.', '_' and '-', at most 63 characters");
const run = whole(0, EPOCH_MAX);
const port = whole(1, 65_535);
const duration = whole(0, DURATION_MAX);
const signal = whole(1, 64);
const processors = (value) => (typeof value === "number" && value > 0 && value <= 64 ? undefined : "a number of at most 64");
const epoch = whole(0, EPOCH_MAX);
const keyed = { name, run, epoch };
const hash = matching(/^[0-9a-f]{64}$/, "64 hexadecimal digits");
const instance = (value) =>
  typeof value === "string"
    ? text(32)(value)
    : shape({ vcpu: processors, memoryMib: whole(1, 1_048_576), diskMb: whole(1, 1_048_576) })(value);

/** The fields of each order; a field that is not here is refused. */
export const ORDERS = {
  start: {
    ...keyed,
    revision: run,
    fingerprint: text(64),
    application: name,
    entrypoint: listOf(text(WORD_MAX), WORDS_MAX),
    env: tableOf(matching(ENV_KEY, "keys of environment variables"), text(ENV_VALUE_MAX), ENV_MAX),
    ports: tableOf(matching(/^[a-z][a-z0-9_-]{0,31}$/, "names of ports"), port, PORTS_MAX),
    wait_for: listOf(port, PORTS_MAX),
    start_timeout_ms: duration,
    stop: shape({ signal, grace_ms: duration }),
    internet: flag,
    keep_alive: flag,
    sleep_after_ms: optional(whole(1, DURATION_MAX)),
    location_hint: optional(matching(HINT, "a location hint")),
    jurisdiction: optional(matching(/^[a-z-]{2,16}$/, "a jurisdiction")),
    image: optional(matching(/^[\x21-\x7e]{1,4096}$/, "an image")),
    instance: optional(instance),
  },
  stop: { ...keyed, signal, grace_ms: duration },
  destroy: keyed,
  forget: keyed,
};

/** The fields of the other bodies. */
export const BODIES = {
  attach: {
    after: run,
    orphan_after_ms: optional(whole(1_000, DURATION_MAX)),
    lease: optional(shape({ holder: matching(/^[\x20-\x7e]{1,128}$/, "1 to 128 printable characters"), ms: whole(...LEASE_MS) })),
  },
  lease: { epoch },
  wish: { wanted: matching(/^(?:running|stopped)$/, "running or stopped") },
  ack: { cursor: text(128), epoch: optional(epoch) },
  batch: { orders: (value) => (Array.isArray(value) && value.length <= ORDERS_MAX ? undefined : `an array of at most ${ORDERS_MAX}`) },
  append: { epoch, expect: shape({ seq: run, digest: matching(/^[0-9a-f]{0,64}$/, "a digest in hexadecimal digits") }) },
  snapshot: { epoch, seq: run, digest: hash, rules: run, size: whole(1, PARTS_MAX * PART_MAX), parts: whole(1, PARTS_MAX), checksum: hash },
  base: { epoch, seq: run },
  end: { epoch, seq: run, digest: hash, expect: shape({ seq: run, digest: hash }) },
  questions: { questions: (value) => (Array.isArray(value) && value.length <= ORDERS_MAX ? undefined : `an array of at most ${ORDERS_MAX}`) },
};

const asking = (...kinds) => ({
  kind: (value) => (kinds.includes(value ?? null) ? undefined : "http, tcp or command"),
  run: optional(run),
  epoch: optional(epoch),
  timeout_ms: optional(whole(1, PROBE_MAX_MS)),
});

/** The fields of each kind of question to a container; of the first where it names none. */
export const QUESTIONS = {
  http: {
    ...asking("http", null),
    port,
    path: optional(matching(/^\/[\x21-\x7e]{0,1023}$/, "a path")),
    method: optional(matching(/^(?:GET|HEAD)$/, "GET or HEAD")),
    headers: optional(tableOf(matching(HEADER, "names of headers"), line(WORD_MAX), HEADERS_MAX)),
  },
  tcp: { ...asking("tcp"), port },
  command: { ...asking("command"), command: some(listOf(text(WORD_MAX), WORDS_MAX)) },
};

/** @returns {{place: string, expected: string} | undefined} the first field that is wrong */
function misfit(value, fields) {
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(fields, key)) return { place: key.slice(0, 64), expected: "no such field" };
  }
  for (const [key, check] of Object.entries(fields)) {
    const expected = check(value[key]);
    if (expected !== undefined) return { place: key, expected };
  }
  return undefined;
}

/** @returns {{refused: object} | undefined} why a body is refused */
export function outOfBounds(body, fields, where = "") {
  const wrong = misfit(body, fields);
  if (wrong === undefined) return undefined;
  return misplaced(where + wrong.place, wrong.expected);
}

/** @returns {{refused: object}} that something else was expected in a place */
export function misplaced(place, expected) {
  return refuse(422, "invalid", `${place}: expected ${expected}`, { place, expected });
}

/** @returns {boolean} whether a text names a fleet or a container */
export function isName(value) {
  return name(value) === undefined;
}

/** @returns {number} a number of a query, within its bounds, or the default */
export function numberOf(query, key, fallback, max) {
  const found = query.get(key) ?? "";
  return /^\d{1,15}$/.test(found) ? Math.min(Number(found), max) : fallback;
}
