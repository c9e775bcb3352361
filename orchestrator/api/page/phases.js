// The phases of a container: a glyph, a word and a tone for each. A tone is a CSS class
// that sets --tone; nothing is told by colour alone.
//
// Exports (stable):
//   PHASES            [{name, glyph, word, tone}], what needs attention first
//   phaseOf(info)     the row of a ContainerInfo (or of a phase's name); also for
//                     "running, but not ready", which is a look of its own
//   badge(info)       an element: glyph and word
//   icon(info)        the glyph alone, as an SVG element of 16 x 16 (hidden from readers)
//   rank(info)        the place in PHASES, to sort by
//   lookOf(info)      what to filter by: the phase's name, or "not_ready"

import { el, svg } from "./dom.js";

const RING = "M13.5 8a5.5 5.5 0 1 1-11 0a5.5 5.5 0 1 1 11 0z";

// `line` is stroked, `fill` is filled; `glyph` is for where only text can stand.
export const PHASES = [
  { name: "crash_looping", glyph: "↻", word: "crash looping", tone: "bad", line: "M13 8.6a5 5 0 1 1-1.3-4M12.2 1.8v3.1h-3.1M8 5.6v2.9M8 10.7v.1" },
  { name: "failed", glyph: "✕", word: "failed", tone: "bad", line: `${RING}M5.9 5.9l4.2 4.2m0-4.2l-4.2 4.2` },
  { name: "unknown", glyph: "?", word: "unknown", tone: "warn", line: "M5.2 5.8a2.8 2.8 0 1 1 4.1 2.5c-.9.5-1.3 1-1.3 2M8 13.1v.1" },
  { name: "backing_off", glyph: "◷", word: "backing off", tone: "warn", line: `${RING}M8 4.8v3.4l2.2 1.4` },
  { name: "pending", glyph: "○", word: "pending", tone: "busy", line: RING, dash: "2.4 2.2" },
  { name: "starting", glyph: "▷", word: "starting", tone: "busy", line: "M5 3.3l7.5 4.7-7.5 4.7z" },
  { name: "stopping", glyph: "▽", word: "stopping", tone: "busy", line: "M3.3 5l4.7 7.5 4.7-7.5z" },
  { name: "running", glyph: "●", word: "running", tone: "ok", fill: "M13 8a5 5 0 1 1-10 0a5 5 0 1 1 10 0z" },
  { name: "asleep", glyph: "☾", word: "asleep", tone: "calm", line: "M13 9.7A5.4 5.4 0 1 1 6.3 3a4.3 4.3 0 0 0 6.7 6.7z" },
  { name: "completed", glyph: "✓", word: "completed", tone: "calm", line: "M3 8.7l3.2 3.2L13 4.6" },
  { name: "stopped", glyph: "■", word: "stopped", tone: "calm", fill: "M4 4h8v8H4z" },
];

const UNREADY = {
  name: "running",
  look: "not_ready",
  glyph: "◐",
  word: "not ready",
  tone: "warn",
  line: RING,
  fill: "M8 2.5a5.5 5.5 0 0 0 0 11z",
};
const BY_NAME = new Map(PHASES.map((phase, place) => [phase.name, { ...phase, place }]));

export function phaseOf(info) {
  const name = typeof info === "string" ? info : lookOf(info);
  if (name === UNREADY.look) return UNREADY;
  return BY_NAME.get(name) ?? { name, glyph: "·", word: name, tone: "calm", line: RING };
}

export function rank(info) {
  const place = BY_NAME.get(info.phase)?.place ?? PHASES.length;
  return info.phase === "running" && !info.ready ? place - 0.5 : place;
}

export function lookOf(info) {
  return info.phase === "running" && !info.ready ? UNREADY.look : info.phase;
}

export function badge(info) {
  const phase = phaseOf(info);
  return el("span", { class: `phase ${phase.tone}` }, icon(info), el("span", { class: "word" }, phase.word));
}

export function icon(info) {
  const { line, fill, dash } = phaseOf(info);
  return svg(
    "svg",
    { class: "glyph", viewBox: "0 0 16 16", width: "16", height: "16", "aria-hidden": "true" },
    fill && svg("path", { d: fill, class: "filled" }),
    line && svg("path", { d: line, class: "stroked", "stroke-dasharray": dash ?? null }),
  );
}
