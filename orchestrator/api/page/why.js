// Why a container is in its phase: the sentence, the rule that decided, who wanted it,
// how much of its crash budget is used, how its last run ended, and when it starts next.

import { el, mark, replace, write } from "./dom.js";
import { ticking } from "./later.js";
import { badge } from "./phases.js";
import { duration, moment, now, showCountdown, showExact } from "./times.js";
import { asSentence, exitWords, plain } from "./words.js";

const BOXES_MAX = 12;
const OUTCOMES = {
  failure: "a failure",
  success: "an end as it should be",
  neither: "neither a failure nor a success",
};

// Mount it; return `{update(info, explanation, at), stop()}`; `at`: a moment of the
// past that it is seen from; null: the present.
export function mountWhy(host) {
  const sentence = el("p", { class: "why-sentence" });
  const rule = el("p", { class: "muted" });
  const phase = el("p", { class: "phase-line" });
  const next = el("div", { class: "countdown", hidden: true });
  const clock = el("strong", { class: "countdown-left", role: "timer" });
  const bar = el(
    "progress",
    { class: "countdown-bar", max: 1, value: 0, "aria-label": "How much of the wait is over" },
  );
  const planned = el("span", { class: "muted" });
  const budget = el("div", { class: "budget" });
  const facts = el("dl", { class: "pairs" });
  replace(next, el("p", {}, "Next start ", clock), bar, el("p", { class: "fine" }, planned));
  replace(host, phase, sentence, rule, next, budget, facts);
  const state = { target: null, from: null, at: null };
  const stop = ticking(() => count(state, clock, bar), 250);
  return {
    update(info, explanation, at = null) {
      state.at = at;
      state.target = info.next_start_at;
      state.from = state.target === null ? null : startOfWait(explanation, info);
      replace(
        phase,
        badge(info),
        el(
          "span",
          { class: "muted" },
          info.desired === "running" ? "it is wanted running" : "it is wanted stopped",
        ),
      );
      write(sentence, asSentence(info.why));
      // The explanation comes a moment after the phase: an older one must not explain it.
      ruled(rule, explanation?.phase === info.phase ? explanation : null);
      next.hidden = state.target === null;
      if (state.target !== null) {
        write(planned, `planned at ${showExact(state.target)}`);
        count(state, clock, bar);
      }
      budgeted(budget, explanation, at ?? now());
      replace(facts, factsOf(info, explanation));
    },
    stop,
  };
}

function ruled(node, explanation) {
  if (explanation === null) return replace(node, "…");
  return explanation.rule === null
    ? replace(node, "No rule had to decide this.")
    : replace(node, "Decided by the rule ", el("code", {}, explanation.rule), ".");
}

// A wait began when the last run ended, so far as is known.
function startOfWait(explanation, info) {
  const ended = explanation?.last?.ended_at;
  return ended !== undefined && ended < info.next_start_at ? ended : null;
}

function count({ target, from, at }, clock, bar) {
  if (target === null) return;
  const seen = at ?? now();
  write(clock, at === null ? showCountdown(target) : `${duration(Math.max(0, target - at))} later`);
  bar.hidden = from === null;
  if (from !== null) bar.value = Math.min(1, Math.max(0, (seen - from) / Math.max(1, target - from)));
}

function budgeted(node, explanation, seen) {
  if (explanation === null) return;
  const { failures, allowed_crashes: allowed, window_ms: span } = explanation;
  const used = failures.length;
  const crashes = `${used} ${used === 1 ? "crash" : "crashes"} in the last ${duration(span)}`;
  const words = `${crashes}; ${allowed} ${allowed === 1 ? "is" : "are"} allowed`;
  const boxes = Math.max(used, allowed);
  const shown = boxes <= BOXES_MAX
    ? Array.from({ length: boxes }, (_, place) => box(place, used, allowed))
    : [];
  const oldest = failures[0];
  replace(
    node,
    el("h3", {}, "Crash budget"),
    el("p", { class: "boxes", "aria-hidden": "true" }, shown),
    el("p", {}, `${words}.`),
    oldest === undefined
      ? null
      : el(
        "p",
        { class: "muted fine" },
        `The oldest of them is forgotten in ${duration(Math.max(0, oldest + span - seen))}.`,
      ),
  );
  mark(node, "data-over", used > allowed);
}

function box(place, used, allowed) {
  const kind = place < used ? (place < allowed ? "used" : "over") : "free";
  return el("span", { class: `box ${kind}` }, kind === "free" ? "·" : "✕");
}

function factsOf(info, explanation) {
  const facts = [];
  const fact = (name, ...value) => facts.push(el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  fact("run", info.run === 0 ? "none yet" : String(info.run));
  fact("revision", String(info.revision));
  fact("restarts", String(info.restarts));
  fact("declared", info.min_replica_set ? "in the min replica set" : "by request (ad hoc)");
  if (info.started_at !== null) fact("started", moment(info.started_at));
  if (info.ready_at !== null) fact("ready", moment(info.ready_at));
  if (info.startup_ms !== null) fact("last start took", duration(info.startup_ms));
  if (explanation !== null) explained(fact, info, explanation);
  for (const [port, address] of Object.entries(info.addresses ?? {})) fact(
    `port ${port}`,
    el("code", {}, address),
  );
  if (info.observed_at !== null) fact("platform looked at", moment(info.observed_at));
  return facts;
}

function explained(fact, info, explanation) {
  const { last, last_outcome: outcome } = explanation;
  fact(
    "wanted by",
    `${explanation.desired_by}${explanation.desired_why ? `: ${explanation.desired_why}` : ""}`,
  );
  if (last !== null) {
    const judged = outcome === null ? "" : `, ${OUTCOMES[outcome] ?? plain(outcome)}`;
    fact("last run", `${last.run}: ${info.last_exit ?? exitWords(last.exit)}${judged}`);
    if (last.started_at !== null) fact("it ran for", duration(Math.max(0, last.ended_at - last.started_at)));
    fact("it ended", moment(last.ended_at));
  }
  if (explanation.attempts > 0) fact("waits in a row", String(explanation.attempts));
  if (explanation.next_wait_ms > 0) fact("next wait would be", duration(explanation.next_wait_ms));
  if (explanation.start_failures > 0) fact("failed starts in a row", String(explanation.start_failures));
  if (explanation.unhealthy > 0) fact("unhealthy in a row", String(explanation.unhealthy));
  if (explanation.next_change_at !== null) fact("changes by itself", moment(explanation.next_change_at));
}
