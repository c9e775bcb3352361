// What became of what was asked of services on this page. It outlives the view, and has
// the shape of outcomes.js: a rollout is followed to its end, a scale until all are ready.
//
//   asked(action, one, words, value)   ask the operator; `one`: {service, rollout}
//   ofService(name)                    the outcomes of a service, the newest first
//   onServiceOutcome(fn) -> off        called with the name whenever one has changed

import { newKey, send } from "./api.js";
import { statusOf } from "./rollout_words.js";
import { serviceRequest } from "./service_commands.js";
import { onServices, readAgain } from "./services.js";
import { now } from "./times.js";
import { asSentence } from "./words.js";

const KEPT_MAX = 30;
const GOOD_ENDS = {
  pause: ["paused"],
  abort: ["reverted"],
  resume: ["done", "awaiting_promotion"],
  promote: ["done", "awaiting_promotion"],
  start: ["done", "awaiting_promotion"],
  undo: ["done", "awaiting_promotion"],
};
const ENDS = new Set(["done", "reverted", "held", "superseded"]);

const all = [];
const listeners = new Set();
let off = null;

export function ofService(name) {
  return all.filter((one) => one.name === name).reverse();
}

export function onServiceOutcome(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

export function asked(action, { service, rollout }, words, value) {
  const outcome = {
    name: service.name,
    action,
    words,
    value,
    key: newKey(),
    before: rollout,
    state: "asking",
    message: "",
    code: "",
    seq: null,
    replayed: false,
    steps: [],
    ended: null,
    again: () => again(outcome),
  };
  all.push(outcome);
  if (all.length > KEPT_MAX) all.shift();
  return again(outcome);
}

async function again(outcome) {
  outcome.state = "asking";
  outcome.message = "";
  tell(outcome);
  const { method, path, body } = serviceRequest(outcome.action, outcome.name, outcome.words, outcome.value);
  try {
    const answer = await send(method, path, body, outcome.key);
    outcome.state = "accepted";
    outcome.answered = performance.now();
    outcome.replayed = answer.replayed;
    outcome.seq = answer.replayed ? null : answer.seq;
    if (outcome.action.id === "scale") scaled(outcome, answer.body);
    else rolled(outcome, answer.body);
    follow();
    readAgain();
  } catch (error) {
    const lost = error.status === undefined || error.status === 0 || error.status >= 502;
    outcome.state = lost ? "unreachable" : "refused";
    outcome.message = error.message;
    outcome.code = error.code ?? "";
  }
  tell(outcome);
  return outcome;
}

// One subscription for all, for as long as one of them has not ended.
function follow() {
  off ??= onServices((list, asOf) => {
    // What was asked for before the request was answered may tell of the time before it.
    for (const outcome of open().filter(({ answered }) => answered < asOf)) {
      const one = list.find(({ service }) => service.name === outcome.name);
      if (one === undefined) ended(outcome, "The service is gone.", "bad");
      else if (outcome.action.id === "scale") scaled(outcome, one.service);
      else if (one.rollout !== null) rolled(outcome, one.rollout);
    }
  });
  if (open().length > 0) return;
  off();
  off = null;
}

function open() {
  return all.filter(({ state, ended: end }) => state === "accepted" && end === null);
}

function rolled(outcome, rollout) {
  const { action, steps, began } = outcome;
  // An answer that was on its way tells of the rollout that was before.
  if (began !== undefined && rollout.began_at < began) return;
  if (began !== undefined && rollout.began_at > began) {
    ended(outcome, "A newer rollout took its place.", "warn");
    return;
  }
  outcome.began = rollout.began_at;
  const { word, says } = statusOf(rollout.status);
  if (steps.at(-1)?.status !== rollout.status) {
    steps.push({ at: now(), status: rollout.status, text: word });
    tell(outcome);
  }
  const isGood = GOOD_ENDS[action.id].includes(rollout.status);
  const isOver = ENDS.has(rollout.status);
  if (!isGood && !isOver && rollout.status !== "paused") return;
  const reason = asSentence(rollout.reason || says);
  const tone = isGood ? "ok" : isOver ? "bad" : "warn";
  ended(outcome, `The rollout to revision ${rollout.revision}: ${word}. ${reason}`, tone);
}

function scaled(outcome, service) {
  const { value, steps } = outcome;
  const { ready, resting, replicas, members, leaving } = service;
  const text = `${ready} of ${replicas} ready`;
  if (steps.at(-1)?.text !== text) {
    steps.push({ at: now(), text });
    tell(outcome);
  }
  if (replicas !== value) ended(outcome, `Another number was asked for meanwhile: ${replicas}.`, "warn");
  else if (ready + resting >= value && members.length === value && leaving.length === 0) {
    ended(outcome, `${value === 1 ? "1 replica runs" : `${value} replicas run`} and nothing leaves.`, "ok");
  }
}

function ended(outcome, text, tone) {
  outcome.ended = { text, tone };
  tell(outcome);
  if (off !== null) queueMicrotask(() => off !== null && follow());
}

function tell(outcome) {
  for (const fn of listeners) fn(outcome.name, outcome);
}
