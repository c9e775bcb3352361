// Rollouts in words: a glyph, a word and a tone for each status, what can be asked of a
// rollout that is there, and where its replicas are, counted.
//
// Exports (stable):
//   statusOf(status)       {glyph, word, tone, says}
//   statusBadge(status)    an element: glyph and word
//   isUnderWay(rollout)    whether it has not ended; false for null
//   isTrouble(rollout)     whether it goes back, went back, or was held
//   possible(rollout)      Set of the actions that can be asked for
//   partsOf(rollout)       [{key, count, word}] in the order of the bar
//   progressWords(rollout) "3 of 8 new and ready"
//   routeWords(rollout)    "from revision 2 to 3"
//   failureWords(rollout)  "1 failure, 3 are allowed"
//   memberWords(state)     a replica's state in words

import { el } from "./dom.js";

const STATUSES = {
  preparing: { glyph: "◌", word: "preparing", tone: "busy", says: "the platform makes the new image available first" },
  progressing: { glyph: "▷", word: "under way", tone: "busy", says: "replicas are being moved" },
  soaking: { glyph: "◷", word: "soaking", tone: "busy", says: "what is new is watched for a time" },
  awaiting_promotion: { glyph: "☞", word: "awaiting promotion", tone: "warn", says: "it waits until it is promoted" },
  paused: { glyph: "‖", word: "paused", tone: "warn", says: "it waits until it is resumed" },
  reverting: { glyph: "↩", word: "going back", tone: "bad", says: "it failed or was aborted" },
  done: { glyph: "✓", word: "done", tone: "ok", says: "all replicas are new and ready" },
  reverted: { glyph: "↩", word: "went back", tone: "bad", says: "it failed or was aborted" },
  held: { glyph: "✕", word: "held", tone: "bad", says: "it failed, and all stays as it is" },
  superseded: { glyph: "⇥", word: "superseded", tone: "calm", says: "a newer rollout took its place" },
};

const ENDED = new Set(["done", "reverted", "held", "superseded"]);
const TROUBLE = new Set(["reverting", "reverted", "held"]);

// A rollout that is not under way can be started, one that is can be acted on.
const POSSIBLE = {
  preparing: ["pause", "abort", "undo"],
  progressing: ["pause", "abort", "undo"],
  soaking: ["pause", "promote", "abort", "undo"],
  awaiting_promotion: ["pause", "promote", "abort", "undo"],
  paused: ["resume", "abort", "undo"],
  reverting: ["pause", "undo"],
};

const PARTS = [
  ["counted", "new and ready"],
  ["new", "new, not ready yet"],
  ["old", "old, available"],
  ["unavailable", "old, not available"],
  ["kept", "old, kept beside"],
  ["leaving", "leaving"],
];

export function statusOf(status) {
  return STATUSES[status] ?? { glyph: "·", word: status.replaceAll("_", " "), tone: "calm", says: "" };
}

export function statusBadge(status) {
  const { glyph, word, tone } = statusOf(status);
  return el(
    "span",
    { class: `phase ${tone}`, data: { status } },
    el("span", { class: "glyph", "aria-hidden": "true" }, glyph),
    el("span", { class: "word" }, word),
  );
}

export function isUnderWay(rollout) {
  return Boolean(rollout) && !ENDED.has(rollout.status);
}

export function isTrouble(rollout) {
  return Boolean(rollout) && TROUBLE.has(rollout.status);
}

export function possible(rollout) {
  if (!rollout) return new Set(["start"]);
  // One that was paused on its way back is on its way back when it goes on.
  if (rollout.status === "paused" && rollout.back_to !== null) return new Set(["resume", "undo"]);
  return new Set(POSSIBLE[rollout.status] ?? ["start", "undo"]);
}

export function partsOf({ members }) {
  const counts = new Map(PARTS.map(([key]) => [key, 0]));
  for (const { state } of members) counts.set(state, (counts.get(state) ?? 0) + 1);
  const words = new Map(PARTS);
  return [...counts].map(([key, count]) => ({ key, count, word: words.get(key) ?? memberWords(key) }));
}

export function progressWords({ counted, replicas }) {
  return `${counted} of ${replicas} new and ready`;
}

export function routeWords({ previous, revision, back_to: back, status }) {
  const isBack = ["reverting", "reverted"].includes(status) && back !== null;
  return `from revision ${previous} to ${revision}${isBack ? `, back to ${back}` : ""}`;
}

export function failureWords({ failures, budget }) {
  return `${failures} ${failures === 1 ? "failure" : "failures"}, ${budget} ${budget === 1 ? "is" : "are"} allowed`;
}

export function memberWords(state) {
  return new Map(PARTS).get(state) ?? state.replaceAll("_", " ");
}
