// What became of the actions that were asked for on this page. It outlives the view: who
// goes to another container and comes back finds it.
//
//   asked(action, info, words)   ask the operator; words {by, why}
//   again(outcome)               the same request, with the same key: nothing is done twice
//   ofName(name)                 the outcomes of a container, the newest first
//   onOutcome(fn) -> off         called with the name whenever one has changed
//
// An outcome is {name, action, state, message, code, seq, replayed, steps, ended}; seq: the
// row it was accepted as, null if that is not known; state: "asking",
// "accepted", "refused", "unreachable"; steps: {at, info}, a phase each; ended: null, or
// {text, tone} once it has come to what was asked for, or to something else for good.

import { newKey, send } from "./api.js";
import { requestOf } from "./commands.js";
import { phaseOf } from "./phases.js";
import * as store from "./store.js";
import { duration, now } from "./times.js";
import { asSentence } from "./words.js";

const KEPT_MAX = 30;
const WATCH_MS = 30_000;
const EARLY_MAX = 500;
const AT_REST = new Set(["stopped", "completed", "failed", "asleep"]);
const ENDED_BADLY = new Set(["failed", "crash_looping", "backing_off", "completed", "asleep"]);
const RUNS = new Set(["start", "force", "restart"]);

const all = [];
const listeners = new Set();
let isFollowing = false;

export function ofName(name) {
  return all.filter((one) => one.name === name).reverse();
}

export function onOutcome(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

export function asked(action, info, words) {
  follow();
  const outcome = {
    name: info.name,
    action,
    words,
    key: newKey(),
    before: info,
    began: now(),
    state: "asking",
    message: "",
    code: "",
    seq: null,
    replayed: false,
    isGuess: false,
    early: [],
    steps: [],
    ended: null,
    again: () => again(outcome),
  };
  all.push(outcome);
  if (all.length > KEPT_MAX) all.shift();
  return again(outcome);
}

export async function again(outcome) {
  outcome.state = "asking";
  outcome.message = "";
  tell(outcome);
  const { method, path, body } = requestOf(outcome.action, outcome.name, outcome.words);
  try {
    const answer = await send(method, path, body, outcome.key);
    accepted(outcome, answer);
  } catch (error) {
    const lost = error.status === undefined || error.status === 0 || error.status >= 502;
    outcome.state = lost ? "unreachable" : "refused";
    outcome.message = error.message;
    outcome.code = error.code ?? "";
    outcome.facts = error.facts ?? {};
  }
  tell(outcome);
  return outcome;
}

// A repeated request is answered with the newest row there is, which is not its own.
function accepted(outcome, { body, seq, replayed = false }) {
  outcome.state = "accepted";
  outcome.replayed = replayed;
  outcome.seq = replayed ? null : seq;
  // The stream may have told of the row before the answer came.
  const rows = outcome.early.filter((row) => outcome.seq === null || row.seq >= outcome.seq);
  outcome.early = [];
  for (const row of rows) taken(outcome, row);
  if ((rows.length === 0 || replayed) && body?.phase !== undefined) {
    stepped(outcome, body);
    outcome.isGuess = true;
  }
  if (outcome.action.id === "remove" && !store.wide() && store.get(outcome.name) === undefined) gone(outcome);
}

// One subscription for all outcomes, begun with the first.
function follow() {
  if (isFollowing) return;
  isFollowing = true;
  store.onRow((row) => {
    for (const outcome of open()) {
      if (outcome.state === "accepted") taken(outcome, row);
      else if (concerns(row, outcome.name)) outcome.early = [...outcome.early, row].slice(-EARLY_MAX);
    }
  });
  // After a pause or a gap, the list tells what the rows did not.
  store.subscribe(({ names, whole }) => {
    for (const outcome of open()) {
      if (outcome.state !== "accepted" || !(whole || names.has(outcome.name))) continue;
      const info = store.get(outcome.name);
      if (info !== undefined) stepped(outcome, info);
      else if ((whole && !store.wide()) || (names.has(outcome.name) && outcome.action.id === "remove")) gone(outcome);
    }
  });
}

function concerns({ event, containers, gone: left }, name) {
  return event.name === name || containers?.some((one) => one.name === name) || left?.includes(name);
}

function open() {
  return all.filter(
    (one) => one.state !== "refused" && (one.ended === null || one.isGuess || isWatched(one)),
  );
}

// A run that was ready and ends right after has not come up.
function isWatched({ action, ended }) {
  return RUNS.has(action.id) && ended.run !== undefined && now() - ended.at < WATCH_MS;
}

function taken(outcome, row) {
  if (outcome.seq !== null && row.seq < outcome.seq) return;
  if (outcome.isGuess) retold(outcome, row);
  const info = row.containers?.find((one) => one.name === outcome.name);
  if (info !== undefined) stepped(outcome, info, row.at);
  if (row.gone?.includes(outcome.name)) gone(outcome);
}

// The answer tells where the container was when it was sent, which may be later than the
// rows that are still to come. Where the row of the request comes, they tell it all.
function retold(outcome, row) {
  const isOwn = row.seq === outcome.seq && row.containers?.some((one) => one.name === outcome.name);
  if (isOwn) Object.assign(outcome, { steps: [], ended: null });
  if (outcome.seq === null || row.seq >= outcome.seq) outcome.isGuess = false;
}

function stepped(outcome, info, at = now()) {
  const last = outcome.steps.at(-1)?.info;
  if (last?.run > info.run) return;
  if (outcome.ended !== null) {
    relapsed(outcome, info, at);
    return;
  }
  if (last === undefined || phaseOf(last).word !== phaseOf(info).word || last.run !== info.run) {
    outcome.steps.push({ at, info });
  }
  outcome.ended = endOf(outcome, info, at);
  tell(outcome);
}

function relapsed(outcome, info, at) {
  const { ended } = outcome;
  if (!isWatched(outcome) || info.run !== ended.run || !ENDED_BADLY.has(info.phase)) return;
  outcome.steps.push({ at, info });
  const tone = info.phase === "completed" ? "ok" : "bad";
  outcome.ended = {
    text: `Run ${info.run} was ready, and ended ${duration(Math.max(0, at - ended.at))} later. ${asSentence(info.why)}`,
    tone,
  };
  tell(outcome);
}

function gone(outcome) {
  if (outcome.ended !== null) return;
  outcome.ended = { text: "It is removed.", tone: "ok" };
  tell(outcome);
}

// Say whether it has come to an end; null while there is more to come.
function endOf({ action, before }, info, at) {
  if (RUNS.has(action.id)) return endOfStart(action, before, info, at);
  if (action.id === "stop" && AT_REST.has(info.phase)) return { text: `It rests: ${info.why}.`, tone: "ok" };
  if (action.id === "reset" && info.crash_count === 0) {
    return { text: `Its crash history is empty; it is ${phaseOf(info).word}.`, tone: "ok" };
  }
  return null;
}

function endOfStart(action, before, info, at) {
  const isNew = info.run > before.run;
  if (info.phase === "running" && info.ready && (isNew || action.id !== "restart")) {
    return { text: `Run ${info.run} runs and is ready.`, tone: "ok", run: info.run, at };
  }
  if (isNew && ENDED_BADLY.has(info.phase)) {
    const tone = info.phase === "completed" ? "ok" : "bad";
    return {
      text: `Run ${info.run} is over. ${asSentence(info.why)}`,
      tone,
    };
  }
  return null;
}

function tell(outcome) {
  for (const fn of listeners) fn(outcome.name, outcome);
}
