// One container: why it is where it is, what can be done, its runs, its checks, its
// events, its log, and what was declared. Live, or as it was at a place of the past.
//
// `mount(root, {name, at}) -> unmount`; `at`: the number of a row, or nothing: as it is.

import { get } from "./api.js";
import { mountActions } from "./actions.js";
import { showHealth, showSpec } from "./declared.js";
import { el, replace, write } from "./dom.js";
import { mountEvents } from "./events.js";
import { Newest, throttled, ticking } from "./later.js";
import { mountLog } from "./logs.js";
import { columnsOfCourse, totalsWords } from "./plot_columns.js";
import { mountPlots } from "./plots.js";
import { go, href } from "./routes.js";
import { mountRuns } from "./runs.js";
import * as store from "./store.js";
import { now, onZone, showExact } from "./times.js";
import { mountWhy } from "./why.js";

const COLUMNS = 60;
const LOOK_MS = 300;
const TIMELINE_MS = 1_200;
const GROW_MS = 1_000;

export function mount(root, { name, at = null }) {
  const view = {
    root,
    name,
    at,
    seen: null,
    told: null,
    info: null,
    explanation: null,
    checks: null,
    hasEvents: false,
  };
  view.jobs = { look: new Newest(), timeline: new Newest(), spec: new Newest() };
  view.places = build(root, view);
  view.parts = parted(view);
  const offs = at === null ? live(view) : [];
  offs.push(onZone(() => shown(view)));
  look(view);
  timeline(view);
  spec(view);
  return () => {
    for (const off of offs) off();
    for (const job of Object.values(view.jobs)) job.stop();
    for (const part of Object.values(view.parts)) part.stop();
  };
}

function build(root, view) {
  const places = { note: el("div", { class: "place-note" }), title: el("h1", {}, view.name) };
  const card = (id, title, ...rest) => {
    places[id] = el("div", { class: `part part-${id}` });
    places[`${id}_note`] = el("p", { class: "muted fine" });
    return el(
      "section",
      { class: "card box", id: `card-${id}`, "aria-labelledby": `title-${id}` },
      el("h2", { id: `title-${id}` }, title),
      rest,
      places[`${id}_note`],
      places[id],
    );
  };
  const isPast = view.at !== null;
  replace(
    root,
    el(
      "div",
      { class: "details" },
      el(
        "nav",
        { class: "trail", "aria-label": "Where you are" },
        el(
          "a",
          { href: isPast ? href("past", { at: view.at }) : href("fleet") },
          isPast ? "← the fleet at this place" : "← the fleet",
        ),
      ),
      el(
        "header",
        { class: "title" },
        places.title,
        isPast ? null : el("a", { class: "past-link", href: "#/past" }, "Go back in time"),
      ),
      places.note,
      el(
        "div",
        { class: "columns" },
        el(
          "div",
          { class: "stack" },
          card("why", "Why it is there"),
          isPast ? null : card("actions", "Actions"),
          card("health", "Health checks"),
        ),
        el(
          "div",
          { class: "stack wide" },
          card("runs", "Runs"),
          card("plots", "Availability and crashes"),
          card("events", "Events"),
          isPast ? null : card("log", "Log"),
          card("spec", "Declared"),
        ),
      ),
    ),
  );
  return places;
}

function parted(view) {
  const { places, name, at } = view;
  const parts = {
    why: mountWhy(places.why),
    runs: mountRuns(places.runs),
    plots: mountPlots(
      places.plots,
      name,
      (column) => column.seq !== null && go("past", { at: column.seq, follow: name }),
    ),
    events: mountEvents(places.events, name),
  };
  if (at === null) {
    parts.actions = mountActions(places.actions, name, () => view.info);
    parts.log = mountLog(places.log, name);
    parts.actions.show(store.facts()?.can_write ?? false);
  }
  return parts;
}

// Follow the stream: each row of this container, and what the fleet says of the caller.
function live(view) {
  const again = throttled(() => look(view), LOOK_MS);
  const anew = throttled(() => timeline(view), TIMELINE_MS);
  const offRow = store.onRow((row) => {
    if (!concerns(row, view.name)) return;
    view.parts.events.add(row);
    anew();
  });
  const offStore = store.subscribe(({ names, facts, whole }) => {
    if (facts) view.parts.actions.show(store.facts()?.can_write ?? false);
    if (!whole && !names.has(view.name)) return;
    const info = store.get(view.name);
    if (info === undefined && store.loaded()) return gone(view);
    if (info === undefined) return;
    const isOther = view.info?.revision !== info.revision;
    view.info = info;
    shown(view);
    again();
    if (whole) anew();
    if (isOther) spec(view);
  });
  const offGrow = ticking(() => drawn(view), GROW_MS);
  return [offRow, offStore, offGrow, again.stop, anew.stop];
}

function concerns(row, name) {
  return row.event.name === name || row.containers?.some(
    (one) => one.name === name,
  ) || row.gone?.includes(name);
}

// Ask where the container is, and why.
function look(view) {
  const path = `/v1/containers/${encodeURIComponent(view.name)}`;
  view.jobs.look.run(
    async (signal) => {
      const params = { at: view.at };
      const [info, explanation] = await Promise.all(
        [get(path, params, signal), get(`${path}/explain`, params, signal)],
      );
      return { info, explanation };
    },
    ({ info, explanation }) => {
      view.seen = info;
      view.info = info.body;
      view.explanation = explanation.body;
      if (!view.hasEvents) void view.parts.events.load(info.seq);
      view.hasEvents = true;
      replace(view.places.note);
      if (view.at !== null) noted(
        view,
        `This is how it was after row ${view.at}, at ${showExact(info.at)}.`,
        el("a", { href: href("container", { name: view.name }) }, "See it now"),
      );
      shown(view);
    },
    (error) => {
      if (error.code === "container_not_found") gone(view, error.message);
      else failed(view, error);
    },
  );
}

// Ask for its story, up to the place that is looked at.
function timeline(view) {
  const path = `/v1/containers/${encodeURIComponent(view.name)}/timeline`;
  view.jobs.timeline.run(
    (signal) => get(path, { until: view.at }, signal),
    ({ body }) => {
      view.told = body;
      drawn(view);
      showChecks(view);
    },
    (error) => {
      if (error.code === "container_not_found") return;
      replace(view.places.runs, el("p", { class: "problem" }, error.message));
    },
  );
}

function spec(view) {
  view.jobs.spec.run(
    (signal) => get(`/v1/containers/${encodeURIComponent(view.name)}/spec`, {}, signal),
    ({ body }) => {
      view.checks = body;
      write(view.places.spec_note, view.at === null ? "" : "As it is declared now.");
      showSpec(view.places.spec, body);
      showChecks(view);
    },
    (error) => replace(view.places.spec, el("p", { class: "muted" }, error.message)),
  );
}

function shown(view) {
  if (view.info === null) return;
  view.parts.why.update(view.info, view.explanation, view.at === null ? null : view.seen.at);
}

// Draw the runs and the plots; they grow with the time that passes.
function drawn(view) {
  const { told } = view;
  if (told === null) return;
  const course = courseOf(told);
  if (course === undefined) return;
  const end = view.at === null ? Math.max(told.ends_at, now()) : told.ends_at;
  view.parts.runs.update({ course, begins: told.begins_at, now: end });
  write(view.places.plots_note, totalsWords(course.totals));
  view.parts.plots.update(columnsOfCourse(course, told.begins_at, end, COLUMNS), told.begins_at, end);
}

function courseOf(told) {
  return told.containers?.[0];
}

function showChecks(view) {
  if (view.checks === null) return;
  const verdicts = view.told === null ? [] : (courseOf(view.told)?.health ?? []);
  showHealth(view.places.health, view.checks, verdicts, view.info?.run ?? 0);
}

function gone(view, message = `The container ${view.name} is not in the fleet (any more).`) {
  for (const job of Object.values(view.jobs)) job.stop();
  noted(view, message, el("a", { href: "#/past" }, "Look for it in the past"));
  view.parts.actions?.show(false);
}

function failed(view, error) {
  noted(view, error.message);
}

function noted(view, text, link = null) {
  replace(view.places.note, el("p", { class: "note-box", role: "status" }, el("span", {}, text), " ", link));
}
