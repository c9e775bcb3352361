// The past: a slider over the rows of the journal, and the fleet at the place where it
// stands: what the row was, what it changed, what was decided, and by which rule.
//
// `mount(root, {at, follow}) -> unmount`; `at`: the number of a row (the newest, if none),
// `follow`: the container whose rows are jumped between.

import { get } from "./api.js";
import { el, mark, replace, write } from "./dom.js";
import { crashRow, nextRow, previousRow } from "./jumps.js";
import { onKey } from "./keys.js";
import { debounced, Newest } from "./later.js";
import { mountPastFleet } from "./past_fleet.js";
import { mountNote } from "./past_note.js";
import { mountPastPlots } from "./past_plots.js";
import { mountStep } from "./past_step.js";
import { adjust } from "./routes.js";
import { mountStrip } from "./service_strip.js";
import { servicesAt } from "./services.js";
import { mountSlider } from "./slider.js";
import * as store from "./store.js";
import { onStatus, status } from "./stream.js";
import { onZone, showExact, showMoment } from "./times.js";

const QUIET_MS = 90;

export function mount(root, params) {
  const view = {
    at: null,
    asked: params.at,
    hasFailed: false,
    isLive: status().state === "live",
    shown: null,
    moment: null,
    base: 0,
    head: 0,
    name: params.follow ?? "",
    isPlaying: false,
    wait_ms: 500,
    timer: 0,
  };
  view.jobs = { ends: new Newest(), place: new Newest(), jump: new Newest() };
  view.soon = debounced(() => look(view), QUIET_MS);
  build(root, view);
  const offs = bind(view);
  begin(view);
  const unmount = () => {
    for (const off of offs) off();
    for (const job of Object.values(view.jobs)) job.stop();
    for (const part of [view.fleet, view.plots, view.services]) part.stop();
    view.soon.stop();
    pause(view);
  };
  unmount.update = (next) => {
    if (next.follow !== undefined) named(view, next.follow);
    view.asked = next.at;
    if (view.at !== null) move(view, Math.min(rowOf(next.at) ?? view.head, view.head), true);
  };
  return unmount;
}

function build(root, view) {
  const box = (id, title, ...rest) => el(
    "section",
    { class: "card box", id: `card-${id}`, "aria-labelledby": `title-${id}` },
    el("h2", { id: `title-${id}` }, title),
    rest,
  );
  const slot = () => el("div", { class: "part" });
  const [slider, plots, step, changes, services, fleet] = Array.from({ length: 6 }, slot);
  view.place = el("p", { class: "place", role: "status" }, "…");
  const note = el("div", { class: "place-note" });
  view.note = mountNote(note);
  replace(
    root,
    el(
      "div",
      { class: "details past", on: { keydown: scrolls } },
      el("header", { class: "title" }, el("h1", {}, "The past"), view.place),
      note,
      el("section", { class: "card box", "aria-label": "Where to look" }, slider),
      el(
        "div",
        { class: "columns even" },
        box("step", "What this row was", step),
        box("plots", "The fleet over time", plots),
      ),
      box("changes", "What it changed", changes),
      services,
      el(
        "section",
        { id: "card-fleet", class: "part", "aria-labelledby": "title-fleet" },
        el("h2", { id: "title-fleet" }, "The fleet after it"),
        fleet,
      ),
    ),
  );
  view.slider = mountSlider(slider, {
    move: (at) => move(view, at),
    play: () => (view.isPlaying ? pause(view) : play(view)),
    speed: (ms) => {
      view.wait_ms = ms;
    },
    name: (name) => named(view, name),
    jump: (what, way) => jump(view, what, way),
  });
  view.plots = mountPastPlots(plots, (seq) => move(view, seq));
  view.step = mountStep({ step, changes }, (name) => named(view, name));
  view.services = mountStrip(services, { isPast: true });
  view.fleet = mountPastFleet(fleet);
  view.slider.name(view.name);
}

// In what scrolls sideways, the arrows scroll.
function scrolls(event) {
  if (event.target.matches(".table-scroll, pre")) event.stopPropagation();
}

function bind(view) {
  return [
    onKey("ArrowLeft", "the past: one row back", () => move(view, view.at - 1)),
    onKey("ArrowRight", "the past: one row on", () => move(view, view.at + 1)),
    onKey("p", "the past: play or pause", () => (view.isPlaying ? pause(view) : play(view))),
    onKey(",", "the past: previous row of the chosen container", () => jump(view, "row", -1)),
    onKey(".", "the past: next row of the chosen container", () => jump(view, "row", 1)),
    onKey("X", "the past: previous crash", () => jump(view, "crash", -1)),
    onKey("x", "the past: next crash", () => jump(view, "crash", 1)),
    store.subscribe(({ names, whole }) => {
      if (names.size > 0 || whole) ended(view);
    }),
    store.onRow(() => ended(view)),
    onStatus(({ state }) => {
      if (state === "live" && !view.isLive && view.hasFailed) begin(view);
      view.isLive = state === "live";
    }),
    onZone(() => view.shown !== null && look(view)),
  ];
}

function rowOf(text) {
  return text !== null && text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

// Find both ends of the journal; then go to the place that was asked for.
function begin(view) {
  view.hasFailed = false;
  view.jobs.ends.run(
    async (signal) => {
      const [first, fleet] = await Promise.all(
        [get("/v1/events", { limit: 1 }, signal), get("/v1/fleet", {}, signal)],
      );
      return { base: (first.body[0]?.seq ?? 1) - 1, head: fleet.body.seq };
    },
    ({ base, head }) => {
      view.base = base;
      view.head = Math.max(head, store.seq() ?? 0);
      view.slider.ends(base, view.head);
      view.plots.load(base, view.head);
      view.note.calm(view.base);
      move(view, rowOf(view.asked) ?? view.head, true);
    },
    (error) => failed(view, error),
  );
}

// The journal grows while one looks at its past; the slider's end follows.
function ended(view) {
  const head = store.seq();
  if (head === null || head <= view.head || view.at === null) return;
  view.head = head;
  view.slider.ends(view.base, head);
  placed(view);
}

function placed(view) {
  const { shown, head, moment } = view;
  if (shown === null) return;
  write(
    view.place,
    `Row ${shown} of ${head}${moment === null ? "" : ` · ${showExact(moment)} · ${showMoment(moment)}`}`,
  );
}

// Also a place before the first row that is kept may be asked for: then that is told.
function move(view, at, isAsked = false) {
  if (view.at === null && !isAsked) return;
  const place = isAsked ? at : Math.max(view.base, Math.min(view.head, at));
  adjust({ at: place, follow: view.name || null });
  if (place === view.at) return;
  view.at = place;
  view.slider.at(Math.min(place, view.head));
  mark(view.place.closest(".past"), "aria-busy", "true");
  if (isAsked) look(view);
  else view.soon();
}

// Ask for the fleet after the row, and for what the row was.
function look(view) {
  const { at } = view;
  view.jobs.place.run(
    async (signal) => {
      const step = at > view.base ? get(`/v1/steps/${at}`, {}, signal) : null;
      const [told, fleet, services] = await Promise.all(
        [step, get("/v1/containers", { at, limit: store.MOST }, signal), servicesAt(at, signal)],
      );
      return { told: told?.body ?? null, fleet, services };
    },
    ({ told, fleet, services }) => {
      mark(view.place.closest(".past"), "aria-busy", null);
      view.note.calm(view.base);
      view.shown = at;
      view.moment = at === 0 ? null : (told?.at ?? fleet.at);
      placed(view);
      view.slider.moment(at, view.moment);
      view.plots.cursor(view.moment, at, view.head);
      view.step.show(told, at);
      view.services.update(services, { moment: fleet.at, at });
      view.fleet.show(fleet.body, at, fleet.total);
      view.slider.names(fleet.body.map((info) => info.name));
      next(view);
    },
    (error) => failed(view, error),
  );
}

function failed(view, error) {
  mark(view.place.closest(".past"), "aria-busy", null);
  pause(view);
  const base = error.code === "journal_compacted" ? error.facts.base : undefined;
  if (base === undefined) {
    view.hasFailed = view.at === null;
    view.note.say(error.message, "Try again", () => (view.at === null ? begin(view) : look(view)));
    return;
  }
  view.base = base;
  view.slider.ends(base, view.head);
  view.plots.load(base, view.head);
  view.note.say(error.message, `To row ${base + 1}, the first there is`, () => move(view, base + 1));
}

function named(view, name) {
  view.name = name;
  view.slider.name(name);
  if (view.at !== null) adjust({ follow: name || null });
}

function play(view) {
  if (view.at === null) return;
  view.isPlaying = true;
  view.slider.playing(true);
  if (view.at >= view.head) move(view, view.base);
  else next(view);
}

function pause(view) {
  view.isPlaying = false;
  clearTimeout(view.timer);
  view.slider.playing(false);
}

// The next row comes when this one is shown: a slow answer slows the film down.
function next(view) {
  clearTimeout(view.timer);
  if (!view.isPlaying) return;
  if (view.at >= view.head) {
    pause(view);
    return;
  }
  view.timer = setTimeout(() => move(view, view.at + 1), Math.max(0, view.wait_ms - QUIET_MS));
}

function jump(view, what, way) {
  if (view.at === null) return;
  const { name, at, base, head } = view;
  if (what === "row" && !name) {
    view.note.say("Choose a container first: its rows are jumped between.");
    return;
  }
  pause(view);
  view.slider.busy(true);
  view.jobs.jump.run(
    async (signal) => {
      if (what === "crash") return crashRow({ name, at, way, base, head }, signal);
      return way > 0 ? nextRow(name, at, head, signal) : previousRow(name, at, base, signal);
    },
    (row) => {
      view.slider.busy(false);
      if (row !== null) move(view, row);
      else view.note.say(nothing(what, way, name));
    },
    (error) => {
      view.slider.busy(false);
      if (error.code === "journal_compacted") failed(view, error);
      else view.note.say(error.message);
    },
  );
}

function nothing(what, way, name) {
  const whose = name ? ` of ${name}` : "";
  return `There is no ${what}${whose} ${way > 0 ? "after" : "before"} this place.`;
}
