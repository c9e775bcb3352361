// One container: why it is where it is, what can be done, its runs, its checks, its
// events, its log, and what was declared. Live, or as it was at a place of the past.
//
// `mount(root, {name, at}) -> unmount`; `at`: the number of a row, or nothing: as it is.

import { get } from "./api.js";
import { mountActions } from "./actions.js";
import { mountBelonging } from "./belonging.js";
import { buildCards } from "./container_cards.js";
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
import { status } from "./stream.js";
import { now, onZone, showExact } from "./times.js";
import { mountWhy } from "./why.js";

const COLUMNS = 60;
const LOOK_MS = 300;
const TIMELINE_MS = 1_200;
const GROW_MS = 1_000;
const HOLE_MS = 2_000;

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
    specText: null,
    isGone: false,
    // The newest row that its events are known up to.
    row: null,
    holeTimer: 0,
  };
  view.jobs = { look: new Newest(), timeline: new Newest(), spec: new Newest() };
  view.places = buildCards(root, view);
  view.parts = parted(view);
  const offs = at === null ? live(view) : [];
  offs.push(onZone(() => shown(view)));
  look(view);
  timeline(view);
  spec(view);
  return () => {
    for (const off of offs) off();
    clearTimeout(view.holeTimer);
    for (const job of Object.values(view.jobs)) job.stop();
    for (const part of Object.values(view.parts)) part.stop();
  };
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
      "Enter on one with a crash goes to that place of the past.",
    ),
    events: mountEvents(places.events, name),
    belonging: mountBelonging(places.belonging, name, at),
  };
  if (at === null) {
    parts.actions = mountActions(places.actions, name, () => view.info);
    parts.log = mountLog(places.log, name);
    parts.actions.show(mayAct(view));
  }
  return parts;
}

// Say whether the caller may act on it; before the facts have come, nobody knows.
function mayAct(view) {
  const facts = store.facts();
  if (facts === null || view.isGone) return "unknown";
  return facts.can_write ? "yes" : "no";
}

// Follow the stream: each row of this container, and what the fleet says of the caller.
function live(view) {
  const again = throttled(() => look(view), LOOK_MS);
  const anew = throttled(() => timeline(view), TIMELINE_MS);
  const offRow = store.onRow((row) => {
    if (view.row !== null && row.seq > view.row + 1) view.parts.events.reload(row.seq);
    view.row = Math.max(view.row ?? 0, row.seq);
    if (!concerns(row, view.name)) return;
    view.parts.events.add(row);
    anew();
  });
  const unpin = store.pin(view.name);
  const offStore = store.subscribe(({ names, facts, whole }) => {
    if (facts) view.parts.actions.show(mayAct(view));
    if (whole) watchForHole(view);
    if (whole && store.wide()) again();
    if (!names.has(view.name) && (!whole || store.wide())) return;
    const info = store.get(view.name);
    if (info === undefined) return store.loaded() ? gone(view) : undefined;
    isThere(view);
    const isOther = view.info?.revision !== info.revision;
    view.info = info;
    shown(view);
    again();
    if (whole) anew();
    if (isOther) spec(view);
  });
  // What is not heard of any more does not grow.
  const offGrow = ticking(() => status().state === "live" && drawn(view), GROW_MS);
  return [offRow, offStore, unpin, offGrow, again.stop, anew.stop];
}

function concerns(row, name) {
  return row.event.name === name || row.containers?.some(
    (one) => one.name === name,
  ) || row.gone?.includes(name);
}

// The list may be read again because rows were left out. If they do not come either, the
// events are fetched: a hole in them would look as if nothing had happened.
function watchForHole(view) {
  const seq = store.seq();
  clearTimeout(view.holeTimer);
  if (seq === null || view.row === null || view.row >= seq) return;
  view.holeTimer = setTimeout(() => {
    if (view.row >= seq) return;
    view.row = seq;
    view.parts.events.reload(seq);
  }, HOLE_MS);
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
      view.parts.events.load(info.seq);
      view.row ??= info.seq;
      isThere(view);
      replace(view.places.note);
      shown(view);
    },
    (error) => {
      if (error.code === "container_not_found") gone(view);
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
      replace(view.places.runs_note);
      drawn(view);
      showChecks(view);
    },
    (error) => {
      if (error.code === "container_not_found" || isBehind(view, error)) return;
      // What was drawn stays: it is only older.
      const again = () => timeline(view);
      const button = el("button", { type: "button", class: "small", on: { click: again } }, "Try again");
      replace(view.places.runs_note, el("span", { class: "problem" }, error.message), " ", button);
    },
  );
}

function spec(view) {
  view.jobs.spec.run(
    (signal) => get(`/v1/containers/${encodeURIComponent(view.name)}/spec`, {}, signal),
    ({ body }) => {
      view.checks = body;
      write(view.places.spec_note, view.at === null ? "" : "As it is declared now.");
      const text = JSON.stringify(body);
      // The same again is left as it is: who has opened a part of it may be reading.
      if (text !== view.specText) showSpec(view.places.spec, body);
      view.specText = text;
      showChecks(view);
    },
    (error) => {
      view.specText = null;
      replace(view.places.spec, el("p", { class: "muted" }, error.message));
    },
  );
}

function shown(view) {
  if (view.info === null) return;
  view.parts.belonging.show(view.info);
  if (view.at !== null) noted(
    view,
    `This is how it was after row ${view.at}, at ${showExact(view.seen.at)}.`,
    seeNow(view),
  );
  view.parts.why.update(view.info, view.explanation, view.at === null ? null : view.seen.at);
}

// Draw the runs and the plots; they grow with the time that passes.
function drawn(view) {
  const { told } = view;
  if (told === null) return;
  const course = courseOf(told);
  if (course === undefined) return;
  const end = view.at === null ? Math.max(told.ends_at, lastHeard()) : told.ends_at;
  view.parts.runs.update({ course, begins: told.begins_at, now: end });
  write(view.places.plots_note, totalsWords(course.totals));
  view.parts.plots.update(columnsOfCourse(course, told.begins_at, end, COLUMNS), told.begins_at, end);
}

// The newest moment of which anything is known.
function lastHeard() {
  const { state, age_ms } = status();
  return now() - (state === "live" ? 0 : (age_ms ?? 0));
}

function courseOf(told) {
  return told.containers?.[0];
}

function showChecks(view) {
  if (view.checks === null) return;
  const verdicts = view.told === null ? [] : (courseOf(view.told)?.health ?? []);
  showHealth(view.places.health, view.checks, verdicts, view.info?.run ?? 0);
}

function isThere(view) {
  if (!view.isGone) return;
  view.isGone = false;
  view.parts.actions?.show(mayAct(view));
}

// The feed and an answer may both say so, in any order: they are told in the same words.
function gone(view) {
  for (const job of Object.values(view.jobs)) job.stop();
  view.isGone = true;
  const where = view.at === null ? "is not in the fleet (any more)" : "was not in the fleet then";
  noted(view, `The container ${view.name} ${where}.`, el("a", { href: href("past", { follow: view.name }) }, "Look for it in the past"));
  view.parts.actions?.show(mayAct(view));
}

function failed(view, error) {
  if (!isBehind(view, error)) {
    const again = () => look(view);
    noted(view, error.message, el("button", { type: "button", class: "small", on: { click: again } }, "Try again"));
    return;
  }
  const at = error.facts.base + 1;
  const first = el("a", { href: href("container", { name: view.name, at }) }, `To row ${at}, the first there is`);
  view.places.columns.hidden = true;
  noted(view, error.message, [seeNow(view), " ", first]);
}

// Say whether the place that is looked at was compacted away.
function isBehind(view, error) {
  return view.at !== null && error.code === "journal_compacted" && error.facts?.base !== undefined;
}

function seeNow(view) {
  return el("a", { href: href("container", { name: view.name }) }, "See it now");
}

function noted(view, text, links = null) {
  replace(view.places.note, el("p", { class: "note-box", role: "status" }, el("span", {}, text), " ", links));
}
