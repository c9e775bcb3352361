// One rollout, drawn: where it is and why, a bar of its replicas with the same in words,
// the failures of its budget, and the time that is left.
//
// Exports (stable):
//   mountRollout(host) -> {update(rollout, at), stop()}    `at`: a moment of the past that
//                          it is seen from; null: the present. Only what differs is
//                          rewritten; `stop` ends its clock

import { el, mark, replace, write } from "./dom.js";
import { ticking } from "./later.js";
import {
  failureWords,
  isUnderWay,
  partsOf,
  progressWords,
  routeWords,
  statusBadge,
  statusOf,
} from "./rollout_words.js";
import { countdown, duration, moment, now, retime } from "./times.js";
import { asSentence, plain } from "./words.js";

const BOXES_MAX = 12;

export function mountRollout(host) {
  const status = el("span", { class: "rollout-status" });
  const route = el("span", { class: "muted" });
  const reason = el("p", { class: "rollout-reason" });
  const bar = drawnBar();
  const clock = drawnClock();
  const budget = drawnBudget();
  const asked = el("p", { class: "muted fine rollout-asked" });
  replace(
    host,
    el("p", { class: "rollout-line" }, status, route),
    reason,
    bar.node,
    el("div", { class: "rollout-facts" }, clock.node, budget.node),
    asked,
  );
  let askedText = "";
  return {
    stop: ticking(clock.count, 1_000),
    update(rollout, at = null) {
      const { reason: why, strategy } = rollout;
      if (status.dataset.status !== rollout.status) {
        status.dataset.status = rollout.status;
        replace(status, statusBadge(rollout.status));
      }
      write(route, `${plain(strategy)}, ${routeWords(rollout)}`);
      write(reason, asSentence(why || statusOf(rollout.status).says));
      bar.update(rollout);
      clock.update(rollout, at);
      budget.update(rollout);
      const text = JSON.stringify([rollout.by, rollout.why, rollout.began_at, rollout.ended_at, rollout.step]);
      if (text === askedText) return;
      askedText = text;
      replace(asked, askedWords(rollout));
    },
  };
}

function askedWords({ by, why, began_at: began, ended_at: ended, step }) {
  return [
    `Asked for by ${by}${why ? `: ${why}` : ""}. Began `,
    moment(began),
    ended === null ? `; ${step === 1 ? "1 step is" : `${step} steps are`} over.` : [", ended ", moment(ended), "."],
  ];
}

// The bar is for the eye; the line below it holds the same numbers.
function drawnBar() {
  const headline = el("strong", { class: "rollout-progress" });
  const goal = el("span", { class: "muted" });
  const bar = el("div", { class: "rollout-bar", "aria-hidden": "true" });
  const legend = el("ul", { class: "rollout-legend", "aria-label": "Where its replicas are" });
  const node = el("div", { class: "rollout-replicas" }, el("p", { class: "strip" }, headline, goal), bar, legend);
  const made = new Map();
  const part = ({ key, word }) => {
    const one = {
      piece: el("span", { class: `piece-${key}` }),
      count: el("b", {}),
      item: el("li", { data: { state: key } }, el("i", { class: `piece-${key}`, "aria-hidden": "true" })),
    };
    one.item.append(one.count, ` ${word}`);
    bar.append(one.piece);
    legend.append(one.item);
    made.set(key, one);
    return one;
  };
  return {
    node,
    update(rollout) {
      write(headline, progressWords(rollout));
      const { goal: wanted, replicas } = rollout;
      const isPart = isUnderWay(rollout) && wanted > 0 && wanted < replicas;
      write(goal, isPart ? `this step moves ${wanted} of ${replicas}` : "");
      for (const each of partsOf(rollout)) {
        const one = made.get(each.key) ?? part(each);
        if (one.shown === each.count) continue;
        one.shown = each.count;
        one.piece.style.setProperty("flex-grow", String(each.count));
        one.piece.hidden = each.count === 0;
        one.item.hidden = each.count === 0;
        write(one.count, each.count);
      }
    },
  };
}

// The end of a soak is waited for; a deadline is a failure where nothing becomes better.
function drawnClock() {
  const words = new Text();
  const left = countdown(null);
  const later = el("span");
  const fill = el("progress", { class: "countdown-bar", max: 1, value: 0, "aria-label": "How much of the time is over" });
  const node = el("div", { class: "rollout-clock", hidden: true }, el("p", {}, words, left, later), fill);
  mark(left, "role", "timer");
  const span = { from: 0, to: 1, at: null };
  const count = () => {
    const { from, to, at } = span;
    if (!node.hidden) fill.value = Math.min(1, Math.max(0, ((at ?? now()) - from) / Math.max(1, to - from)));
  };
  return {
    node,
    count,
    update(rollout, at) {
      const { status, until, deadline, since, progress_at: progress } = rollout;
      const isSoak = status === "soaking" && until !== null;
      const target = isSoak ? until : deadline;
      node.hidden = target === null || !isUnderWay(rollout);
      if (node.hidden) return;
      words.data = isSoak ? "The soak ends " : "Fails, where nothing becomes better, ";
      left.hidden = at !== null;
      write(later, at === null ? "" : `${duration(Math.max(0, target - at))} later`);
      retime(left, target);
      Object.assign(span, { from: isSoak ? since : progress, to: target, at });
      count();
    },
  };
}

function drawnBudget() {
  const boxes = el("span", { class: "boxes", "aria-hidden": "true" });
  const words = el("span");
  const node = el("p", { class: "rollout-budget" }, boxes, words);
  let shown = "";
  return {
    node,
    update(rollout) {
      const { failures, budget } = rollout;
      // A rollout that goes back counts anew; why one ended stands in its reason.
      node.hidden = !isUnderWay(rollout);
      write(words, failureWords(rollout));
      const text = `${failures}/${budget}`;
      if (text === shown) return;
      shown = text;
      const count = Math.max(failures, budget);
      const box = (place) => {
        const kind = place >= failures ? "free" : place < budget ? "used" : "over";
        return el("span", { class: `box ${kind}` }, kind === "free" ? "·" : "✕");
      };
      replace(boxes, count <= BOXES_MAX ? Array.from({ length: count }, (_, place) => box(place)) : []);
    },
  };
}
