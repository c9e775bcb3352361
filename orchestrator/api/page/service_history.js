// What is kept of the past of a service: its last rollouts and why they ended so, and its
// revisions with what each of them changed.
//
//   mountHistory(host) -> {show(history)}      null: there was no rollout

import { el, replace } from "./dom.js";
import { statusBadge } from "./rollout_words.js";
import { moment } from "./times.js";
import { asSentence, plain } from "./words.js";

const SHOWN_MAX = 10;
const CHANGES_MAX = 12;

export function mountHistory(host) {
  let text = "";
  return {
    show(history) {
      const next = JSON.stringify(history);
      if (next === text) return;
      text = next;
      if (history === null) {
        replace(host, el("p", { class: "muted" }, "There was no rollout yet: all replicas are of revision 1."));
        return;
      }
      replace(host, rollouts(history), el("h3", {}, "Revisions"), revisions(history));
    },
  };
}

function rollouts({ rollouts: ended }) {
  if (ended.length === 0) return el("p", { class: "muted" }, "No rollout has ended yet.");
  const rows = ended.slice(-SHOWN_MAX).reverse();
  return table(
    "Rollouts that have ended, the newest first",
    ["to", "from", "ended", "how", "failures", "why"],
    rows.map((one) => [
      one.revision,
      one.previous,
      one.ended_at === null ? "–" : moment(one.ended_at),
      statusBadge(one.status),
      one.failures,
      `${asSentence(one.reason || plain(one.status))} Asked for by ${one.by}${one.why ? `: ${one.why}` : ""}.`,
    ]),
  );
}

function revisions({ revisions: all }) {
  return table(
    "Revisions that are kept, the newest first",
    ["revision", "made", "is", "changed", "why"],
    [...all].reverse().map((one) => [
      el("span", {}, String(one.number), one.serving ? el("span", { class: "tag" }, "serving") : null),
      moment(one.at),
      OUTCOMES[one.outcome] ?? plain(one.outcome),
      one.changes.length === 0 ? "–" : el("ul", { class: "changed-fields" }, changes(one.changes)),
      `by ${one.by}${one.why ? `: ${one.why}` : ""}`,
    ]),
  );
}

const OUTCOMES = { unproven: "not proven yet", good: "✓ good", failed: "✕ failed" };

function changes(all) {
  const shown = all.slice(0, CHANGES_MAX).map(({ path, before, after }) =>
    el("li", {}, `${path}: `, el("del", {}, before ?? "nothing"), " → ", el("ins", {}, after ?? "nothing")),
  );
  const rest = all.length - CHANGES_MAX;
  return rest > 0 ? [...shown, el("li", { class: "muted" }, `and ${rest} more`)] : shown;
}

function table(label, heads, rows) {
  return el(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": label },
    el(
      "table",
      { class: "plain history" },
      el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
      el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell) => el("td", {}, cell))))),
    ),
  );
}
