// An axis of time: where its ticks are, what they say, and where a moment lies on it.
// A drawing is made for the width it has, so that its text keeps the size of the page.

import { svg } from "./dom.js";
import { duration, now, zone } from "./times.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// Steps that people count in.
const STEPS = [
  10, 20, 50, 100, 200, 500,
  SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 20 * SECOND, 30 * SECOND,
  MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR,
  DAY, 2 * DAY, 5 * DAY, 10 * DAY, 30 * DAY, 100 * DAY, 365 * DAY,
];

// Return the place of a moment between `low` and `high`, never outside.
export function scaled(from, until, low, high) {
  const span = Math.max(1, until - from);
  return (at) => low + (high - low) * Math.min(1, Math.max(0, (at - from) / span));
}

// Return the step for at most `most` ticks.
export function stepOf(from, until, most) {
  const least = (until - from) / Math.max(1, most);
  return STEPS.find((step) => step >= least) ?? STEPS.at(-1);
}

// Return `[{at, text}]`; relative times count back from now, others stand on the clock. So
// do seconds that are long gone: counted from now, they would all read the same.
export function ticksOf(from, until, most) {
  const step = stepOf(from, until, most);
  const ticks = [];
  const isClock = zone() !== "relative" || (step < MINUTE && now() - until > MINUTE);
  const start = isClock ? offsetAt(from) : now();
  let at = from + (((start - from) % step) + step) % step;
  for (; at <= until && ticks.length < 40; at += step) ticks.push({ at, text: isClock ? clockText(at, step) : relativeText(at, step) });
  return ticks;
}

function offsetAt(at) {
  return zone() === "utc" ? 0 : new Date(at).getTimezoneOffset() * MINUTE;
}

function relativeText(at, step) {
  const gone = Math.round((now() - at) / Math.min(step, SECOND)) * Math.min(step, SECOND);
  if (gone === 0) return "now";
  return gone > 0 ? `−${short(gone)}` : `+${short(-gone)}`;
}

function clockText(at, step) {
  const iso = new Date(at - offsetAt(at)).toISOString();
  if (step >= DAY) return iso.slice(5, 10);
  if (step >= MINUTE) return iso.slice(11, 16);
  return step >= SECOND ? iso.slice(11, 19) : iso.slice(14, 22);
}

function short(ms) {
  return duration(ms).replaceAll(" ", "");
}

// Draw the axis: a hairline down the drawing and a word on top, for each tick.
export function axis({ from, until, x, left, right, height }) {
  const most = Math.max(2, Math.floor((right - left) / 84));
  return svg(
    "g",
    { class: "axis", "aria-hidden": "true" },
    ticksOf(from, until, most).map(({ at, text }) => {
      const place = x(at).toFixed(1);
      return [
        svg("line", { x1: place, x2: place, y1: 16, y2: height }),
        svg("text", { x: place, y: 11, "text-anchor": anchor(x(at), left, right) }, text),
      ];
    }),
  );
}

function anchor(place, left, right) {
  if (place < left + 24) return "start";
  return place > right - 24 ? "end" : "middle";
}
