// The live stream: the fleet is read whole once, then kept true by the events.
//
// Exports (stable):
//   start()            begin; called once by main.js
//   pause(), resume()  stop and go on reading; nothing is missed
//   retry()            try again at once
//   status()           {state, age_ms, retry_in_ms, why}
//                      state: "connecting" | "live" | "paused" | "disconnected"
//   onStatus(fn) -> off     at every change, and once a second
//
// Rows go to store.row (and so to store.onRow), containers to store.put. A reader that
// comes back says the last row it saw; a gap, another fleet or an older journal make it
// read the whole fleet again. A container that the list already shows newer than a row
// does is left as it is, so nothing ever steps back. Who was away for more than
// BEHIND_MAX rows begins with the present ones.

import { ApiError, askedForToken, get, onToken, open, refused } from "./api.js";
import { messages } from "./messages.js";
import * as store from "./store.js";
import { setClock } from "./times.js";

const HEARTBEAT_MS = 5_000;
const SILENCE_MS = 16_000;
const WAITS_MS = [250, 500, 1_000, 2_000, 3_000, 5_000];
const FACTS_EVERY_MS = 2_000;
const LIST_EVERY_MS = 60_000;
const BEHIND_MAX = 5_000;
const HIDDEN_MS = 30_000;

const listeners = new Set();
const touched = new Map();
let state = "connecting";
let why = "";
let ended = "";
let heardAt = null;
let retryAt = null;
let last = null;
let listSeq = -1;
let listAt = -Infinity;
let whose = null;
let failures = 0;
let wake = () => {};
let cut = null;
let factsAt = -Infinity;
let factsDue = false;
let dozing = null;
let dozed = false;

export function start() {
  onToken(() => wake());
  addEventListener("online", retry);
  document.addEventListener("visibilitychange", doze);
  setInterval(tick, 1_000);
  void run();
}

export function pause() {
  become("paused", "");
  cut?.abort();
}

export function resume() {
  if (state !== "paused") return;
  become("connecting", "");
  wake();
}

// A browser has six connections to a host, and each stream holds one: a page that
// nobody sees lets go of its own, and goes on where it was when it is seen again.
function doze() {
  clearTimeout(dozing);
  if (document.hidden) {
    dozing = setTimeout(() => {
      dozed = state !== "paused";
      if (dozed) pause();
    }, HIDDEN_MS);
  } else if (dozed) {
    dozed = false;
    resume();
  } else {
    retry();
  }
}

export function retry() {
  if (state === "disconnected") wake();
}

export function status() {
  const clock = performance.now();
  return {
    state,
    why,
    age_ms: heardAt === null ? null : clock - heardAt,
    retry_in_ms: retryAt === null ? null : Math.max(0, retryAt - clock),
  };
}

export function onStatus(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

async function run() {
  for (;;) {
    if (state === "paused") await woken(Infinity);
    const wait = await attempt();
    if (wait !== null) await woken(wait);
  }
}

// Read until the stream ends; how long to wait before the next try, null: not at all.
async function attempt() {
  ended = "";
  try {
    await Promise.all([readList(), readFacts(true)]);
    const again = await follow();
    return again || state === "paused" ? null : fell(ended || "The operator has closed the stream.");
  } catch (problem) {
    return fallen(problem);
  }
}

function fallen(problem) {
  // Cut by ourselves: because of silence (which says so), or to pause.
  if (problem.name === "AbortError") return ended ? fell(ended) : null;
  if (!(problem instanceof ApiError)) reportError(problem);
  else if (problem.status === 400 || problem.status === 404) last = null;
  if (state === "paused") return null;
  const asked = problem.facts?.retry_after_s;
  return fell(problem.message, asked && asked * 1_000);
}

function fell(reason, wait) {
  become("disconnected", reason);
  const step = WAITS_MS[Math.min(failures, WAITS_MS.length - 1)];
  failures += 1;
  return wait ?? step * (0.75 + Math.random() / 2);
}

async function readList() {
  const { body, seq, at } = await get("/v1/containers");
  heard(at);
  const newer = [];
  for (const [name, row] of touched) {
    if (row > seq) newer.push([name, store.get(name)]);
    else touched.delete(name);
  }
  store.replaceAll(body, Math.max(seq, last ?? 0));
  for (const [name, info] of newer) {
    if (info) store.put([info]);
    else store.drop([name]);
  }
  listSeq = seq;
  listAt = performance.now();
  if (last === null || seq - last > BEHIND_MAX) last = seq;
}

// While rows come, the facts may be older than the newest of them: no sign of anything.
async function readFacts(isBegin = false) {
  factsDue = false;
  factsAt = performance.now();
  const { body } = await get("/v1/fleet");
  heard(body.at);
  const isOlder = isBegin && last !== null && body.seq < last;
  if (whose !== null && (body.name !== whose || isOlder)) throw startedAnew();
  whose = body.name;
  store.setFacts(body);
}

function startedAnew() {
  last = null;
  whose = null;
  listSeq = -1;
  touched.clear();
  return new ApiError(0, "another_fleet", "Another fleet answers now.");
}

// True: try again at once.
async function follow() {
  cut = new AbortController();
  if (state === "paused") return false;
  const params = { after: last, with: "containers", heartbeat_ms: HEARTBEAT_MS };
  const response = await open("/v1/events", params, { Accept: "text/event-stream" }, cut.signal);
  if (response.status === 401) {
    await askedForToken();
    return true;
  }
  if (!response.ok) throw refused(response, await response.json().catch(() => null));
  for await (const { kind, data } of messages(response.body)) {
    if (!take(kind, data)) return false;
  }
  return false;
}

// Take one message in; false: the stream is over.
function take(kind, data) {
  heard(data.at);
  switch (kind) {
    case "hello":
      failures = 0;
      become("live", "");
      return true;
    case "event":
      taken(data);
      return true;
    case "gap":
      last = Math.max(last, data.to);
      listAt = -Infinity;
      return true;
    case "bye":
      ended = data.why;
      return false;
    default:
      return true;
  }
}

function taken(row) {
  last = row.seq;
  if (row.seq > listSeq) {
    for (const info of row.containers ?? []) touched.set(info.name, row.seq);
    for (const name of row.gone ?? []) touched.set(name, row.seq);
    if (row.containers?.length) store.put(row.containers);
    if (row.gone?.length) store.drop(row.gone);
  }
  factsDue = true;
  store.row(row);
}

function heard(at) {
  heardAt = performance.now();
  if (at) setClock(at);
}

function become(next, reason) {
  state = next;
  why = reason;
  retryAt = null;
  for (const fn of listeners) fn(status());
}

function woken(ms) {
  return new Promise((keep) => {
    const timer = ms === Infinity ? null : setTimeout(keep, ms);
    retryAt = ms === Infinity ? null : performance.now() + ms;
    wake = () => {
      clearTimeout(timer);
      keep();
    };
  });
}

function tick() {
  for (const fn of listeners) fn(status());
  if (state !== "live") return;
  const clock = performance.now();
  if (clock - heardAt > SILENCE_MS) {
    ended = "Nothing was heard for too long.";
    cut.abort();
    return;
  }
  // What changes without a row (crashes leave their window, say) comes by looking again.
  const list = clock - listAt > LIST_EVERY_MS && !document.hidden;
  if (list) listAt = clock;
  const facts = clock - factsAt > (factsDue ? FACTS_EVERY_MS : LIST_EVERY_MS / 2);
  if (list) void readList().catch(() => {});
  if (facts) void readFacts().catch(() => cut.abort());
}
