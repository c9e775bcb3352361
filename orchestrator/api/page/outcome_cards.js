// What became of something that was asked for, as a card: asked, refused, unanswered,
// under way with its steps, or done.
//
//   outcomeCard(outcome)     the card; see outcomes.js for what an outcome is. A step has
//                            `info` (a container) or `text`
//   tellOutcome(outcome)     tell it to those who do not see the page

import { el, say } from "./dom.js";
import { badge } from "./phases.js";
import { href } from "./routes.js";
import { duration } from "./times.js";

export function outcomeCard(outcome) {
  return el(
    "section",
    { class: `outcome ${toneOf(outcome)}`, data: { state: outcome.state, action: outcome.action.id } },
    el("h3", {}, el("span", { "aria-hidden": "true" }, `${glyphOf(outcome)} `), headline(outcome)),
    outcome.words.why ? el("p", { class: "muted fine" }, `Reason: ${outcome.words.why}`) : null,
    bodyOf(outcome),
  );
}

function toneOf(outcome) {
  if (outcome.state === "refused") return "bad";
  if (outcome.state === "unreachable") return "warn";
  return outcome.ended?.tone ?? "busy";
}

function glyphOf(outcome) {
  return { ok: "✓", bad: "✕", warn: "?", busy: "◌" }[toneOf(outcome)];
}

function headline(outcome) {
  const word = outcome.action.word;
  switch (outcome.state) {
    case "asking":
      return `${word}: asking the operator …`;
    case "refused":
      return `${word}: refused`;
    case "unreachable":
      return `${word}: no answer`;
    default:
      if (outcome.ended === null) return `${word}: accepted, under way`;
      return outcome.ended.tone === "bad" ? `${word}: accepted, but it failed` : `${word}: done`;
  }
}

function bodyOf(outcome) {
  if (outcome.state === "asking") return null;
  if (outcome.state === "refused") {
    return el("p", {}, outcome.message, " ", el("code", { class: "fine" }, outcome.code));
  }
  if (outcome.state === "unreachable") {
    return [
      el(
        "p",
        {},
        "It is not known whether the request arrived. Trying again carries the same key, so nothing is done twice.",
      ),
      el("p", { class: "fine" }, outcome.message),
      el("button", { type: "button", on: { click: () => void outcome.again() } }, "Try again"),
    ];
  }
  const row = outcome.seq === null
    ? outcome.replayed && el("p", { class: "fine" }, "It had been accepted before.")
    : el(
      "p",
      { class: "fine" },
      "Accepted as ",
      el("a", { href: href("past", { at: outcome.seq }) }, `row ${outcome.seq}`),
      " of the journal.",
    );
  return [
    row,
    steps(outcome),
    outcome.ended === null ? null : el("p", { class: "outcome-end" }, outcome.ended.text),
  ];
}

function steps(outcome) {
  if (outcome.steps.length === 0) return null;
  const first = outcome.steps[0].at;
  return el(
    "ol",
    { class: "steps" },
    outcome.steps.map(({ at, info, text }) =>
      el(
        "li",
        {},
        info === undefined ? text : badge(info),
        el(
          "span",
          { class: "muted fine" },
          `${info === undefined ? "" : ` run ${info.run}`}${at > first ? `, after ${duration(at - first)}` : ""}`,
        ),
      ),
    ),
  );
}

export function tellOutcome(outcome) {
  if (outcome.state === "refused") say(`${headline(outcome)}. ${outcome.message}`);
  else if (outcome.ended !== null) say(`${headline(outcome)}. ${outcome.ended.text}`);
  else say(headline(outcome));
}
