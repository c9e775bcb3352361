// Moments and durations for people, in the way that was chosen: relative, local or UTC.
//
// Exports (stable):
//   now()              milliseconds since 1970 by the operator's clock
//   setClock(ms)       the operator's clock says this, at this very moment
//   zone(), setZone(z), onZone(fn) -> off      "relative" | "local" | "utc"
//   moment(ms)         a <time> that tells a moment, and keeps itself right
//   countdown(ms)      a <time> that tells how long until a moment ("now" after it)
//   since(ms)          a <time> that tells how long since a moment
//   showMoment(ms), showCountdown(ms), showSince(ms)    the same as text, as of now
//   showExact(ms)      date, time and zone, to the millisecond
//   showClock(ms)      the time of day alone, to the millisecond: "14:03:07.250", in UTC
//                      where that was chosen, else as local clocks have it
//   duration(ms)       "950 ms", "12 s", "3 m 20 s", "5 h 2 m", "3 d 4 h"
//   retime(node, ms)   point such a <time> at another moment (null: "–")
// Each <time> is rewritten once a second for as long as it is in the document.

import { mark, write } from "./dom.js";

const ZONES = ["relative", "local", "utc"];
const SHOW = { moment: showMoment, countdown: showCountdown, since: showSince };
const listeners = new Set();
let offset = 0;
let chosen = stored();

export function now() {
  return Date.now() + offset;
}

export function setClock(ms) {
  offset = ms - Date.now();
}

export function zone() {
  return chosen;
}

export function setZone(next) {
  chosen = ZONES.includes(next) ? next : "relative";
  try {
    localStorage.setItem("zone", chosen);
  } catch {
    // Without storage the choice lives as long as the page.
  }
  refresh();
  for (const fn of listeners) fn(chosen);
}

export function onZone(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

export function moment(ms) {
  return timed("moment", ms);
}

export function countdown(ms) {
  return timed("countdown", ms);
}

export function since(ms) {
  return timed("since", ms);
}

export function retime(node, ms) {
  if (ms === null || ms === undefined) {
    delete node.dataset.at;
    mark(node, "datetime", null);
    mark(node, "title", null);
    write(node, "–");
    return;
  }
  if (node.dataset.at !== String(ms)) {
    node.dataset.at = String(ms);
    mark(node, "datetime", new Date(ms).toISOString());
  }
  rewrite(node);
}

export function showMoment(ms) {
  if (chosen === "relative") {
    const gone = now() - ms;
    if (Math.abs(gone) < 1000) return "now";
    return gone > 0 ? `${duration(gone)} ago` : `in ${duration(-gone)}`;
  }
  return clock(ms, chosen);
}

export function showCountdown(ms) {
  const left = ms - now();
  return left <= 0 ? "now" : `in ${duration(Math.ceil(left / 1000) * 1000)}`;
}

export function showSince(ms) {
  return duration(Math.max(0, Math.floor((now() - ms) / 1000) * 1000));
}

export function showExact(ms) {
  if (chosen === "utc") return new Date(ms).toISOString().replace("T", " ").replace("Z", " UTC");
  return `${clock(ms, "local", true)} ${offsetOf(ms)}`;
}

export function showClock(ms) {
  return clock(ms, chosen, true).slice(11, 23);
}

export function duration(ms) {
  if (ms > 0 && ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return joined(minutes, "m", seconds % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return joined(hours, "h", minutes % 60, "m");
  return joined(Math.floor(hours / 24), "d", hours % 24, "h");
}

function joined(most, unit, least, small) {
  return least === 0 ? `${most} ${unit}` : `${most} ${unit} ${least} ${small}`;
}

function timed(kind, ms) {
  const node = document.createElement("time");
  node.dataset.shows = kind;
  retime(node, ms);
  return node;
}

function rewrite(node) {
  const ms = Number(node.dataset.at);
  write(node, SHOW[node.dataset.shows](ms));
  mark(node, "title", showExact(ms));
}

function refresh() {
  for (const node of document.querySelectorAll("time[data-at]")) rewrite(node);
}

function clock(ms, where, exact = false) {
  const date = new Date(ms);
  const utc = where === "utc";
  const get = (part) => (utc ? date[`getUTC${part}`]() : date[`get${part}`]());
  const two = (number) => String(number).padStart(2, "0");
  const day = `${get("FullYear")}-${two(get("Month") + 1)}-${two(get("Date"))}`;
  const time = `${two(get("Hours"))}:${two(get("Minutes"))}:${two(get("Seconds"))}`;
  const rest = exact ? `.${String(get("Milliseconds")).padStart(3, "0")}` : "";
  const today = Math.abs(now() - ms) < 12 * 3_600_000 && !exact;
  return `${today ? "" : `${day} `}${time}${rest}${utc ? " UTC" : ""}`;
}

function offsetOf(ms) {
  const minutes = -new Date(ms).getTimezoneOffset();
  const two = (number) => String(number).padStart(2, "0");
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "−" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

function stored() {
  try {
    const kept = localStorage.getItem("zone");
    return ZONES.includes(kept) ? kept : "relative";
  } catch {
    return "relative";
  }
}

setInterval(() => {
  if (!document.hidden) refresh();
}, 1000);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
