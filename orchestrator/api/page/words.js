// What a row of the journal says, in words: one sentence an event, glyph first. The
// facts stay in the row's JSON; a type that this page does not know is told by its name.

import { duration } from "./times.js";

const OWNERS = new Set(["spec_applied", "crash_history_cleared"]);
const MOMENTS = new Set(["since", "until", "deadline", "not_before"]);
const FAILED_EXITS = new Set(["signaled", "out_of_memory", "start_failed", "unhealthy", "lost"]);

// Return a type, a phase or a field as people write it.
export function plain(text) {
  return String(text).replaceAll("_", " ");
}

// Return a text as a sentence: it begins with a capital letter and ends with a full stop.
export function asSentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

// Return an exit in words; the operator's own words come with most answers.
export function exitWords(exit) {
  if (exit === null || exit === undefined) return "";
  switch (exit.type) {
    case "exited":
      return `exit ${exit.code}`;
    case "signaled":
      return `signal ${exit.signal}`;
    case "start_failed":
      return `start failed: ${exit.reason}`;
    case "unhealthy":
      return `unhealthy: ${exit.check}`;
    case "group_ended":
      return `ended with ${exit.by} of group ${exit.group}`;
    default:
      return plain(exit.type);
  }
}

// Say whether an exit looks like a failure; a policy may judge otherwise.
export function looksFailed(exit) {
  return exit?.type === "exited" ? exit.code !== 0 : FAILED_EXITS.has(exit?.type);
}

// What stands at its default is left out of a row: who asked is the owner, if nobody says.
const who = (event) => event.by ?? "the owner";
const asked = (does) => (event) => `${who(event)} asked to ${does}${reason(event)}`;

const SENTENCES = {
  booted: (event) => `an operator took over, epoch ${event.epoch}`,
  spec_applied: (event) => `${who(event)} applied the fleet ${event.fleet}${reason(event)}`,
  start_requested: (event) => asked(event.force ? "start it, by force" : "start it")(event),
  stop_requested: asked("stop it"),
  restart_requested: asked("restart it"),
  remove_requested: asked("remove it"),
  crash_history_cleared: asked("clear its crash history"),
  reconcile_requested: asked("reconcile"),
  scale_requested: (event) => `${who(event)} scaled ${event.service} to ${event.replicas}${reason(event)}`,
  rollout_requested: (event) =>
    `${who(event)} asked to ${event.action} the rollout of ${event.service}${event.to ? ` to revision ${event.to}` : ""}${reason(event)}`,
  service_rolled: (event) =>
    `the platform's own rollout of ${event.service} to revision ${event.revision}: ${plain(event.outcome)}${because(event.cause)}`,
  load_observed: (event) => `${event.service} bears a load of ${event.load_milli / 1000}`,
  place_observed: (event) => `run ${event.run} runs at ${event.place}`,
  container_started: (event) => `run ${event.run} started`,
  container_ready: (event) => `run ${event.run} is ready`,
  container_ended: (event) => `run ${event.run} ended: ${exitWords(event.exit)}`,
  container_errored: (event) => `run ${event.run} is out of sight: ${event.cause}`,
  container_observed: (event) => `a look found run ${event.run} ${sightWords(event.sight)}`,
  health_changed: (event) =>
    `${event.check} check of run ${event.run} ${event.passing ? "passes" : "fails"}${because(event.cause)}`,
  command_accepted: (event) => `the platform accepted to ${event.kind} run ${event.run}`,
  command_failed: (event) => `the platform did not ${event.kind} run ${event.run}: ${plain(event.error?.type ?? "")}`,
  fleet_observed: (event) =>
    event.complete ? "a look at the platform is over" : `a look at the platform failed: ${event.cause}`,
  time_reached: (event) => (event.name ? "its time has come" : "a time of the fleet has come"),
  notice_delivered: (event) => `notice ${event.id ?? ""} was delivered`,
  notice_failed: (event) => `notice ${event.id ?? ""} was not delivered`,
};

const GLYPHS = {
  container_started: "△",
  container_ready: "●",
  container_errored: "?",
  health_changed: "♥",
  command_accepted: "›",
  command_failed: "✕",
  time_reached: "◷",
  booted: "⏻",
  fleet_observed: "◎",
  load_observed: "≈",
  place_observed: "⌖",
  service_rolled: "⇄",
  container_observed: "◎",
};

function reason(event) {
  return because(event.why);
}

function because(text) {
  return text ? `: ${text}` : "";
}

function sightWords(sight) {
  const kind = plain(sight?.type ?? "").replace(/^seen /, "");
  return sight?.exit ? `${kind}: ${exitWords(sight.exit)}` : kind;
}

// Return the sentence of an event.
export function sentence(event) {
  const say = SENTENCES[event.type];
  return say === undefined ? plain(event.type) : say(event);
}

// Return the glyph of an event: what was asked for is a hand, the rest by its type.
export function glyph(event) {
  if (event.type === "container_ended") return looksFailed(event.exit) ? "✕" : "■";
  if (event.type.endsWith("_requested") || OWNERS.has(event.type)) return "☞";
  if (event.type === "health_changed") return event.passing ? "✓" : "✕";
  return GLYPHS[event.type] ?? "·";
}

// Return a value of a row in words: durations and moments by the ends of their names.
export function valueWords(name, value, when) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number" && name.endsWith("_ms")) return value === 0 ? "0 s" : duration(value);
  if (typeof value === "number" && isMoment(name, value)) return when(value);
  if (Array.isArray(value) && value.length > 0 && value.every((one) => isInstant(one))) {
    return value.length === 1 ? `1: ${when(value[0])}` : `${value.length}, the last ${when(value.at(-1))}`;
  }
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

function isInstant(value) {
  return typeof value === "number" && value > 100_000_000_000;
}

function isMoment(name, value) {
  const last = name.split(".").at(-1);
  return isInstant(value) && (last === "at" || last.endsWith("_at") || MOMENTS.has(last));
}
