// The frame around every view: who this is, how fresh it is, and the switches.
//
// Exports (stable):
//   frame()                 build it; called once by main.js
//   shown(view, params)     a view was mounted: title and navigation follow

import { el, mark, replace, say, svg, write } from "./dom.js";
import { openHelp } from "./help.js";
import { onKey } from "./keys.js";
import { notes } from "./notes.js";
import * as store from "./store.js";
import { onStatus, pause, resume, status } from "./stream.js";
import { duration, setZone, zone } from "./times.js";
import { watchTokens } from "./token.js";

const THEMES = ["system", "light", "dark"];
const LOOKS = {
  connecting: { word: "connecting", tone: "busy", line: "M13.5 8a5.5 5.5 0 1 1-11 0a5.5 5.5 0 1 1 11 0z" },
  live: { word: "live", tone: "ok", fill: "M12 8a4 4 0 1 1-8 0a4 4 0 1 1 8 0z" },
  paused: { word: "paused", tone: "warn", line: "M5.5 3.5v9M10.5 3.5v9" },
  disconnected: { word: "disconnected", tone: "bad", line: "M8 2.5l6 10.7h-12zM8 6.5v3M8 11.2v.1" },
};

let parts = null;
let shownState = null;
let current = { view: "fleet", params: {} };

export function frame() {
  parts = built();
  replace(
    document.getElementById("top"),
    el("div", { class: "brand" }, logo(), parts.name),
    el("nav", { "aria-label": "Views" }, parts.fleet, parts.past),
    el("div", { class: "live" }, parts.lock, parts.pill, parts.pause, parts.zone),
    el("div", { class: "switches" }, parts.theme, parts.help),
  );
  replace(document.getElementById("notes"), notes());
  onStatus(fresh);
  fresh(status());
  store.subscribe((news) => news.facts && named());
  onKey("p", "pause or go on", turn);
  onKey("?", "show the keys", openHelp);
  watchTokens();
  paintTheme();
}

export function shown(view, params) {
  current = { view, params };
  mark(parts.fleet, "aria-current", view === "fleet" ? "page" : null);
  mark(parts.past, "aria-current", view === "past" ? "page" : null);
  paintPause();
  titled();
}

function built() {
  const pill = el("span", { class: "pill" });
  const options = ["relative", "local", "utc"].map((value) =>
    el("option", { value, selected: value === zone() }, { relative: "Relative", local: "Local", utc: "UTC" }[value]),
  );
  const times = { "aria-label": "How times are told", title: "How times are told" };
  return {
    name: el("span", { class: "name" }, "orchestrator"),
    lock: el("span", { class: "tag lock", hidden: true, title: "You may look, and change nothing" }, "read-only"),
    fleet: el("a", { href: "#/" }, "Fleet"),
    past: el("a", { href: "#/past" }, "Past"),
    pill,
    pause: el("button", { type: "button", class: "small", on: { click: turn } }, "Pause"),
    zone: el("select", { ...times, on: { change: (event) => setZone(event.target.value) } }, options),
    theme: el("button", { type: "button", class: "small", on: { click: nextTheme } }),
    help: el("button", { type: "button", class: "small", "aria-label": "Keys and help", title: "Keys and help (?)", on: { click: openHelp } }, "?"),
  };
}

function logo() {
  return el("img", { src: "page/icon.svg", alt: "", width: "22", height: "22" });
}

function fresh(now) {
  const look = LOOKS[now.state];
  if (now.state !== shownState) {
    if (shownState !== null) say(now.why ? `${look.word}: ${now.why}` : look.word);
    shownState = now.state;
    mark(parts.pill, "class", `pill ${look.tone}`);
    const drawn = svg(
      "svg",
      { viewBox: "0 0 16 16", width: "14", height: "14", "aria-hidden": "true" },
      look.fill && svg("path", { d: look.fill, class: "filled" }),
      look.line && svg("path", { d: look.line, class: "stroked" }),
    );
    parts.word = el("span", { class: "word" }, look.word);
    parts.age = el("span", { class: "age" });
    replace(parts.pill, drawn, parts.word, parts.age);
    paintPause();
  }
  const age = now.age_ms === null ? "" : `data ${duration(Math.floor(now.age_ms / 1000) * 1000)} old`;
  write(parts.age, age);
}

// In the past, "p" plays the rows instead.
function paintPause() {
  const isPaused = status().state === "paused";
  const says = isPaused ? "Go on" : "Keep what is shown as it is";
  write(parts.pause, isPaused ? "Resume" : "Pause");
  mark(parts.pause, "title", current.view === "past" ? says : `${says} (p)`);
}

function turn() {
  if (status().state === "paused") resume();
  else pause();
}

function named() {
  const facts = store.facts();
  write(parts.name, facts.name);
  parts.lock.hidden = facts.can_write !== false;
  titled();
}

function titled() {
  const fleet = store.facts()?.name ?? "orchestrator";
  const place = { container: current.params.name, service: current.params.name, past: "past" }[current.view];
  document.title = place ? `${place} · ${fleet}` : fleet;
}

function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

function nextTheme() {
  const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Without storage the choice lives as long as the page.
  }
  paintTheme();
  say(`Theme: ${next}`);
}

function paintTheme() {
  const chosen = theme();
  const drawn = {
    system: "M13 8a5 5 0 1 1-10 0a5 5 0 1 1 10 0zM8 3v10",
    light: "M10.8 8a2.8 2.8 0 1 1-5.6 0a2.8 2.8 0 1 1 5.6 0zM8 1.5v1.5M8 13v1.5M1.5 8h1.5M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
    dark: "M13 9.7A5.4 5.4 0 1 1 6.3 3a4.3 4.3 0 0 0 6.7 6.7z",
  }[chosen];
  const icon = svg("svg", { viewBox: "0 0 16 16", width: "16", height: "16", "aria-hidden": "true" }, svg("path", { d: drawn, class: "stroked" }));
  mark(parts.theme, "aria-label", `Theme: ${chosen}`);
  mark(parts.theme, "title", `Theme: ${chosen}`);
  replace(parts.theme, icon);
}
