// One service: its rollout, what can be asked of it, its replicas and where each of them
// is, and its past. Live, or as it was at a place of the past.
//
// `mount(root, {name, at}) -> unmount`; `at`: the number of a row, or nothing: as it is.

import { get } from "./api.js";
import { el, replace, write } from "./dom.js";
import { Newest } from "./later.js";
import { mountRollout } from "./rollout_view.js";
import { memberWords } from "./rollout_words.js";
import { href } from "./routes.js";
import { mountServiceActions } from "./service_actions.js";
import { mountHistory } from "./service_history.js";
import { serviceFacts } from "./service_words.js";
import { onServices, servicesAt } from "./services.js";
import * as store from "./store.js";
import { showExact } from "./times.js";

const MEMBERS_MAX = 200;

export function mount(root, { name, at = null }) {
  const view = { name, at, one: null, history: undefined, moment: null, historyKey: "", membersKey: "" };
  view.jobs = { past: new Newest(), history: new Newest() };
  view.places = built(root, view);
  view.rollout = null;
  view.actions = at === null ? mountServiceActions(view.places.actions, name) : null;
  view.history_list = at === null ? mountHistory(view.places.history) : null;
  view.places.columns.hidden = true;
  const offs = at === null ? live(view) : [];
  if (at !== null) look(view);
  return () => {
    for (const off of offs) off();
    for (const job of Object.values(view.jobs)) job.stop();
    view.rollout?.stop();
    view.actions?.stop();
  };
}

function live(view) {
  return [
    onServices((list) => {
      const one = list.find(({ service }) => service.name === view.name);
      if (one === undefined) gone(view, "is not in the fleet (any more)");
      else shown(view, one);
    }),
    store.subscribe(({ facts }) => facts && acted(view)),
  ];
}

function look(view) {
  const { at } = view;
  view.jobs.past.run(
    (signal) => Promise.all([servicesAt(at, signal), get("/v1/containers", { at, name: view.name }, signal)]),
    ([list, seen]) => {
      view.moment = seen.at;
      const one = list.find(({ service }) => service.name === view.name);
      if (one === undefined) return gone(view, "was not in the fleet then");
      noted(view, `This is how it was after row ${at}, at ${showExact(seen.at)}.`, seeNow(view));
      shown(view, one);
    },
    (error) => {
      const again = el("button", { type: "button", class: "small", on: { click: () => look(view) } }, "Try again");
      noted(view, error.message, again);
    },
  );
}

function shown(view, one) {
  view.one = one;
  const { places, at } = view;
  const { service, rollout } = one;
  places.columns.hidden = false;
  if (at === null) replace(places.note);
  if (rollout === null) {
    write(places.rollout, "There was no rollout yet: all replicas are of revision 1.");
  } else {
    view.rollout ??= mountRollout(places.rollout);
    view.rollout.update(rollout, view.moment);
  }
  facts(view, service);
  members(view, service, rollout);
  acted(view);
  if (at === null) remembered(view, rollout);
}

function facts(view, service) {
  const text = JSON.stringify(service);
  if (view.factsKey === text) return;
  view.factsKey = text;
  replace(
    view.places.facts,
    el("dl", { class: "pairs" }, serviceFacts(service).map(([key, value]) => el("div", {}, el("dt", {}, key), el("dd", {}, value)))),
  );
}

function acted(view) {
  if (view.one === null || view.actions === null) return;
  const known = store.facts();
  const may = known === null ? "unknown" : known.can_write ? "yes" : "no";
  view.actions.show({ ...view.one, history: view.history }, may);
}

// Where each replica is; without a rollout they are only named.
function members(view, service, rollout) {
  const all = rollout?.members ?? service.members.map((name, index) => ({ index, name, revision: service.revision, state: "" }));
  const key = JSON.stringify(all);
  if (view.membersKey === key) return;
  view.membersKey = key;
  const item = ({ name, revision, state }) => el(
    "li",
    { data: { state } },
    el("i", { class: `piece-${state}`, "aria-hidden": "true" }),
    el("a", { href: href("container", { name, at: view.at }) }, name),
    el("span", { class: "muted fine" }, ` revision ${revision}${state ? `, ${memberWords(state)}` : ""}`),
  );
  const rest = all.length - MEMBERS_MAX;
  replace(
    view.places.members,
    all.length === 0 ? el("p", { class: "muted" }, "It has no replicas.") : el("ul", { class: "members" }, all.slice(0, MEMBERS_MAX).map(item)),
    rest > 0 ? el("p", { class: "muted" }, `and ${rest} more; `, el("a", { href: href("fleet", { q: `${view.name}-` }) }, "see them in the fleet")) : null,
  );
}

// The past of a service changes when a rollout begins or ends.
function remembered(view, rollout) {
  const key = rollout === null ? "none" : JSON.stringify([rollout.began_at, rollout.status, rollout.revision]);
  if (view.historyKey === key) return;
  view.historyKey = key;
  const taken = (history) => {
    view.history = history ?? undefined;
    view.history_list.show(history);
    acted(view);
  };
  if (rollout === null) {
    taken(null);
    return;
  }
  view.jobs.history.run(
    (signal) => get(`/v1/services/${encodeURIComponent(view.name)}/rollout/history`, {}, signal),
    ({ body }) => taken(body),
    () => {
      // It is asked for again with the next change.
      view.historyKey = "";
    },
  );
}

function gone(view, where) {
  view.one = null;
  view.places.columns.hidden = true;
  noted(view, `The service ${view.name} ${where}.`, el("a", { href: href("fleet") }, "To the fleet"));
}

function seeNow(view) {
  return el("a", { href: href("service", { name: view.name }) }, "See it now");
}

function noted(view, text, link) {
  replace(view.places.note, el("p", { class: "note-box", role: "status" }, el("span", {}, text), " ", link));
}

function built(root, { name, at }) {
  const isPast = at !== null;
  const places = { note: el("div", { class: "place-note" }) };
  const card = (id, heading) => {
    places[id] = el("div", { class: `part part-${id}` });
    return el(
      "section",
      { class: "card box", id: `card-${id}`, "aria-labelledby": `title-${id}` },
      el("h2", { id: `title-${id}` }, heading),
      places[id],
    );
  };
  places.columns = el(
    "div",
    { class: "columns" },
    el("div", { class: "stack" }, card("facts", "What is asked for"), isPast ? null : card("actions", "Actions")),
    el(
      "div",
      { class: "stack wide" },
      card("rollout", "Rollout"),
      card("members", "Replicas"),
      isPast ? null : card("history", "History"),
    ),
  );
  const back = isPast ? href("past", { at }) : href("fleet");
  replace(
    root,
    el(
      "div",
      { class: "details" },
      el("nav", { class: "trail", "aria-label": "Where you are" }, el("a", { href: back }, isPast ? "← the fleet at this place" : "← the fleet")),
      el(
        "header",
        { class: "title" },
        el("h1", {}, name),
        isPast ? null : el("a", { class: "past-link", href: href("past") }, "Go back in time"),
      ),
      places.note,
      places.columns,
    ),
  );
  return places;
}
