// To which service a container belongs, and where it is: a line on its page.
//
//   mountBelonging(host, name, at) -> {show(info), stop()}
// Live it follows the services; in the past they are read once, as they were.

import { el, replace } from "./dom.js";
import { Newest } from "./later.js";
import { isUnderWay, memberWords, statusOf } from "./rollout_words.js";
import { href } from "./routes.js";
import { onServices, servicesAt } from "./services.js";

export function mountBelonging(host, name, at) {
  const job = new Newest();
  let info = null;
  let list = [];
  let shown = "";
  const draw = () => {
    const one = list.find((each) => isIn(each, name));
    const text = JSON.stringify([one?.service.name, memberOf(one, name), one?.rollout?.status, one?.rollout?.revision, info?.place, info?.misplaced]);
    if (text === shown) return;
    shown = text;
    replace(host, serviceLine(one, name, at), placeLine(info));
  };
  const taken = (next) => {
    list = next;
    draw();
  };
  // Where it cannot be read, the page does without it: the rest tells why.
  if (at !== null) job.run((signal) => servicesAt(at, signal), taken, () => {});
  const off = at === null ? onServices(taken) : null;
  return {
    show(next) {
      info = next;
      draw();
    },
    stop() {
      job.stop();
      off?.();
    },
  };
}

function isIn({ service, rollout }, name) {
  const isNamed = service.members.includes(name) || service.leaving.includes(name);
  return isNamed || memberOf({ rollout }, name) !== undefined;
}

function memberOf(one, name) {
  return one?.rollout?.members.find((member) => member.name === name);
}

function serviceLine(one, name, at) {
  if (one === undefined) return null;
  const { service, rollout } = one;
  const member = memberOf(one, name);
  const link = el("a", { href: href("service", { name: service.name, at }) }, service.name);
  if (member === undefined) return el("p", { class: "belonging" }, "A replica of ", link, `, of revision ${service.revision}.`);
  const isMoved = ["new", "counted"].includes(member.state);
  const role = isMoved ? "new" : memberWords(member.state);
  const rest = isUnderWay(rollout)
    ? `: ${role} in the rollout of ${service.name} to revision ${rollout.revision}, which is ${statusOf(rollout.status).word}.`
    : ".";
  return el("p", { class: "belonging" }, `Replica ${member.index} of `, link, `, of revision ${member.revision}${rest}`);
}

function placeLine(info) {
  if (!info?.place) return null;
  const { place, misplaced } = info;
  if (!misplaced) return el("p", { class: "muted" }, `It runs at ${place}.`);
  return el(
    "p",
    { class: "misplaced" },
    el("span", { "aria-hidden": "true" }, "⚠ "),
    `Misplaced: it was to run in ${misplaced.expected}, and runs in ${misplaced.found}.`,
  );
}
