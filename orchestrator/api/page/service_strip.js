// The services of a fleet, a card each: how many replicas are ready, its revision, how it
// scales, and its rollout where one is under way or has not ended well.
//
//   mountStrip(host, {isPast}) -> {update(list, {may, at, moment}), stop()}
//     may            as in service_actions.js, where it shows the present
//     at, moment     the row and the moment that the past is seen from

import { el, mark, replace, write } from "./dom.js";
import { href } from "./routes.js";
import { mountRollout } from "./rollout_view.js";
import { isTrouble, isUnderWay, statusBadge } from "./rollout_words.js";
import { mountServiceActions } from "./service_actions.js";
import { scalingWords } from "./service_words.js";

const SHOWN = 12;

export function mountStrip(host, { isPast = false } = {}) {
  const list = el("ul", { class: "services" });
  const more = el("button", { type: "button", class: "small", on: { click: () => opened() } });
  const title = el("h2", { id: "title-services" }, "Services");
  const node = el("section", { class: "services-strip", "aria-labelledby": "title-services", hidden: true }, title, list, more);
  replace(host, node);
  const cards = new Map();
  const state = { all: [], moment: null, may: "unknown", at: null, isOpen: false };
  const draw = () => {
    const { all } = state;
    const shown = state.isOpen ? all : all.slice(0, SHOWN);
    node.hidden = all.length === 0;
    more.hidden = all.length <= SHOWN;
    write(more, state.isOpen ? "Show fewer services" : `Show all ${all.length} services`);
    mark(more, "aria-expanded", String(state.isOpen));
    const names = new Set(shown.map(({ service }) => service.name));
    for (const [name, card] of cards) {
      if (names.has(name)) continue;
      card.stop();
      card.node.remove();
      cards.delete(name);
    }
    const held = list.contains(document.activeElement) ? document.activeElement : null;
    let next = list.firstChild;
    for (const one of shown) {
      const card = cards.get(one.service.name) ?? made(cards, one.service.name, isPast);
      card.update(one, state);
      if (card.node === next) next = next.nextSibling;
      else list.insertBefore(card.node, next);
    }
    // A card that was moved has lost the focus on the way.
    if (held?.isConnected && document.activeElement !== held) held.focus({ preventScroll: true });
  };
  const opened = () => {
    state.isOpen = !state.isOpen;
    draw();
  };
  return {
    // What is under way or in trouble stands first, so that it is seen.
    update(all, seen) {
      const isFirst = ({ rollout }) => isUnderWay(rollout) || isTrouble(rollout);
      Object.assign(state, seen);
      state.all = [...all.filter(isFirst), ...all.filter((one) => !isFirst(one))];
      draw();
    },
    stop() {
      for (const card of cards.values()) card.stop();
    },
  };
}

function made(cards, name, isPast) {
  const link = el("a", { class: "link" }, name);
  const ready = el("span");
  const revision = el("span", { class: "muted" });
  const status = el("a", { class: "service-status" });
  const scaling = el("p", { class: "muted fine service-scaling" });
  const place = el("div", { class: "part rollout" });
  const actions = el("div", { class: "part" });
  const node = el(
    "li",
    { class: "card service", data: { service: name } },
    el("div", { class: "service-head" }, el("h3", {}, link), el("p", { class: "strip service-facts" }, ready, revision, status)),
    scaling,
    place,
    actions,
  );
  const acts = isPast ? null : mountServiceActions(actions, name, { isShort: true });
  let drawn = null;
  const card = {
    node,
    update(one, { moment, may, at }) {
      const { service, rollout } = one;
      const target = href("service", { name, at });
      for (const each of [link, status]) mark(each, "href", target);
      write(ready, readyWords(service));
      mark(node, "data-short", service.ready < service.replicas - service.resting);
      write(revision, `revision ${service.revision}`);
      write(scaling, scalingWords(service));
      scaling.hidden = service.autoscaling === null;
      status.hidden = rollout === null;
      if (rollout !== null && status.dataset.status !== rollout.status) {
        status.dataset.status = rollout.status;
        replace(status, el("span", { class: "unseen" }, `Rollout of ${name}: `), statusBadge(rollout.status));
      }
      const isOpen = isUnderWay(rollout) || isTrouble(rollout);
      status.hidden = rollout === null || isOpen;
      mark(node, "data-open", isOpen);
      if (isOpen) {
        drawn ??= mountRollout(place);
        drawn.update(rollout, moment);
      } else if (drawn !== null) {
        drawn.stop();
        drawn = null;
        replace(place);
      }
      acts?.show(one, may);
    },
    stop() {
      drawn?.stop();
      acts?.stop();
    },
  };
  cards.set(name, card);
  return card;
}

function readyWords({ ready, replicas, resting, declared }) {
  const parts = [`${ready} of ${replicas} ready`];
  if (resting > 0) parts.push(`${resting} at rest`);
  if (declared !== replicas) parts.push(`${declared} declared`);
  return parts.join(", ");
}
