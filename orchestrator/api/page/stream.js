// The live stream: the fleet is read whole once, then kept true by the events.
//
// Exports (stable):
//   start()            begin; called once by main.js
//   pause(), resume()  stop and go on reading; nothing is missed
//   retry()            try again at once, also where a try waits for an answer
//   status()           {state, age_ms, retry_in_ms, why}
//                      state: "connecting" | "live" | "paused" | "disconnected"
//   onStatus(fn) -> off     at every change, and once a second
//
// Rows go to store.row (and so to store.onRow), containers to store.put. A reader that
// comes back says the last row it saw; a gap, another fleet or an older journal make it
// read the whole fleet again. A container that the list already shows newer than a row
// does is left as it is, so nothing ever steps back. Who was away for more than
// BEHIND_MAX rows begins with the present ones.

import { ApiError, askedForToken, get, onToken, open, refused, tokenState, tokensGiven } from "./api.js";
import { messages } from "./messages.js";
import * as store from "./store.js";
import { setClock } from "./times.js";

const HEARTBEAT_MS = 5_000;
const SILENCE_MS = 16_000;
const ANSWER_MS = 10_000;
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
// When the present try began to wait for the operator; null: none does.
let triedAt = null;
let last = null;
let listSeq = -1;
let listAt = -Infinity;
let whose = null;
let failures = 0;
let wake = () => {};
// Ends the present try and all its requests.
let cut = new AbortController();
let factsAt = -Infinity;
let factsDue = false;
let isAsking = false;
let dozing = null;
let dozed = false;

export function start() {
  onToken(() => {
    // The time that a person takes to find a token is not the operator's.
    if (triedAt !== null) triedAt = performance.now();
    wake();
  });
  addEventListener("online", retry);
  document.addEventListener("visibilitychange", doze);
  setInterval(tick, 1_000);
  void run();
}

export function pause() {
  become("paused", "");
  cut.abort();
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
  if (state !== "disconnected") return;
  cut.abort();
  wake();
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
  cut = new AbortController();
  triedAt = performance.now();
  const before = last;
  try {
    await Promise.all([readList(cut.signal), readFacts(cut.signal, before)]);
    const again = await follow();
    return again || state === "paused" ? null : fell(ended || "The operator has closed the stream.");
  } catch (problem) {
    return fallen(problem);
  } finally {
    triedAt = null;
    cut.abort();
  }
}

function fallen(problem) {
  // Cut by ourselves: because of silence (which says so), to pause, or to try anew.
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

async function readList(signal) {
  const limit = store.facts()?.containers > store.MOST ? 1 : store.MOST;
  const { body, seq, at, total } = await get("/v1/containers", { limit }, signal);
  heard(at);
  const newer = [];
  for (const [name, row] of touched) {
    if (row > seq) newer.push([name, store.get(name)]);
    else touched.delete(name);
  }
  if (total > body.length) store.beWide(Math.max(seq, last ?? 0));
  else store.replaceAll(body, Math.max(seq, last ?? 0));
  for (const [name, info] of newer) {
    if (info) store.put([info]);
    else store.drop([name]);
  }
  listSeq = seq;
  listAt = performance.now();
  if (last === null || seq - last > BEHIND_MAX) last = seq;
}

// `before`: the last row that was seen before this try; facts that are older than it are
// another journal's. While rows come, and beside a list that is read at the same time,
// the facts may be a little older than the newest row: no sign of anything.
async function readFacts(signal, before = null) {
  factsDue = false;
  factsAt = performance.now();
  const { body } = await get("/v1/fleet", {}, signal);
  heard(body.at);
  const isOlder = before !== null && body.seq < before;
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
  const params = { after: last, with: "containers", heartbeat_ms: HEARTBEAT_MS };
  const since = tokensGiven();
  const response = await open("/v1/events", params, { Accept: "text/event-stream" }, cut.signal);
  if (response.status === 401) {
    await askedForToken(false, since);
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
  // The moment of a row that is caught up with is long gone: no clock to go by.
  heard(kind === "event" ? null : data.at);
  switch (kind) {
    case "hello":
      failures = 0;
      triedAt = null;
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
  const clock = performance.now();
  if (triedAt !== null && clock - triedAt > ANSWER_MS && !["needed", "refused"].includes(tokenState())) {
    ended = "The operator does not answer.";
    cut.abort();
  }
  if (state !== "live") return;
  if (clock - heardAt > SILENCE_MS) {
    ended = "Nothing was heard for too long.";
    cut.abort();
    return;
  }
  // What changes without a row (crashes leave their window, say) comes by looking again.
  const list = clock - listAt > LIST_EVERY_MS && !document.hidden;
  const facts = clock - factsAt > (factsDue ? FACTS_EVERY_MS : LIST_EVERY_MS / 2);
  if (isAsking || !(list || facts)) return;
  isAsking = true;
  const mine = cut;
  const jobs = [list && readList(mine.signal), facts && readFacts(mine.signal)];
  void Promise.all(jobs)
    .catch(() => mine.abort())
    .finally(() => {
      isAsking = false;
    });
}
