// The runs of a container on one axis of time: the wait before each, its start, when it
// was ready, how it ended; and the wait that goes on now. Each shape is told by its
// pattern and its glyph as well, and everything stands in a table, too.

import { axis, scaled } from "./axis.js";
import { el, replace, svg, write } from "./dom.js";
import { onWidth } from "./later.js";
import { Marks, readout } from "./marks.js";
import { runsTable } from "./runs_table.js";
import { factsOfRun, factsOfWait, glyphOfEnd, lanesOf, windowOf } from "./runs_told.js";
import { onZone, showCountdown } from "./times.js";

const LANE = 26;
const TOP = 22;
const RIGHT = 12;
const LANES_MAX = 14;
const ROOM = 110;
const IDLE = "Point at a run, or move along the runs with the arrow keys.";

const WINDOWS = [
  ["runs", "newest runs"],
  ["600000", "10 min"],
  ["3600000", "1 h"],
  ["86400000", "24 h"],
  ["all", "all"],
];

// Mount the drawing; return `{update(told), stop()}`. `told`: `{course, begins, now}`.
export function mountRuns(host) {
  const picture = el("div", { class: "picture" });
  const line = readout(IDLE);
  const table = el(
    "div",
    { class: "table-scroll", tabindex: "0", role: "region", "aria-label": "Runs as a table" },
  );
  const left = el("p", { class: "muted fine" });
  const marks = new Marks(picture, line, IDLE);
  const state = { told: null, span: "runs", width: 0, tabled: null };
  const details = el("details", {}, el("summary", {}, "The runs as a table"), table);
  const draw = () => {
    tabled(state, details, table);
    drawn(state, { picture, marks, left });
  };
  const chosen = windowChoice((span) => {
    state.span = span;
    draw();
  });
  replace(
    host,
    el("div", { class: "strip" }, chosen, legend()),
    picture,
    line,
    left,
    details,
  );
  details.addEventListener("toggle", () => tabled(state, details, table));
  const offWidth = onWidth(picture, (width) => {
    state.width = width;
    draw();
  });
  const offZone = onZone(draw);
  return {
    update(told) {
      state.told = told;
      draw();
    },
    stop() {
      offWidth();
      offZone();
    },
  };
}

function windowChoice(choose) {
  const buttons = WINDOWS.map(([span, word], index) =>
    el(
      "button",
      { type: "button", class: "choice", "aria-pressed": String(index === 0), data: { span } },
      word,
    ),
  );
  const group = el("div", { class: "choices", role: "group", "aria-label": "How far back" }, buttons);
  group.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button === null) return;
    for (const one of buttons) one.setAttribute("aria-pressed", String(one === button));
    choose(button.dataset.span);
  });
  return group;
}

function legend() {
  const parts = [
    ["wait", "waits"],
    ["starting", "starting"],
    ["unready", "not ready"],
    ["ready", "ready"],
    ["stopping", "is ended"],
  ];
  return el(
    "ul",
    { class: "legend", "aria-label": "Legend" },
    parts.map(([kind, word]) =>
      el(
        "li",
        {},
        svg(
          "svg",
          { width: 22, height: 12, "aria-hidden": "true" },
          hatch("legend"),
          piece(kind, 0, 22, 6, "legend"),
        ),
        word,
      ),
    ),
    el("li", {}, el("span", { class: "bad-text", "aria-hidden": "true" }, "✕"), "crash"),
    el("li", {}, el("span", { "aria-hidden": "true" }, "✓"), "ended well"),
    el("li", {}, el("span", { "aria-hidden": "true" }, "■"), "ended by us"),
  );
}

function hatch(id) {
  return svg(
    "defs",
    {},
    svg(
      "pattern",
      {
        id: `hatch-${id}`,
        width: 6,
        height: 6,
        patternUnits: "userSpaceOnUse",
        patternTransform: "rotate(45)",
      },
      svg("rect", { width: 6, height: 6, class: "hatch-ground" }),
      svg("rect", { width: 2.5, height: 6, class: "hatch-line" }),
    ),
  );
}

// Draw one stretch of a lane, `middle` its height; `id` is where its hatch is defined.
function piece(kind, from, until, middle, id = "runs") {
  const width = Math.max(kind === "wait" ? 2 : 3, until - from);
  if (kind === "wait") {
    return [
      svg("line", { class: "piece wait", x1: from, x2: from + width, y1: middle, y2: middle }),
      svg("line", { class: "piece wait-end", x1: from, x2: from, y1: middle - 4, y2: middle + 4 }),
    ];
  }
  const high = { starting: 12, unready: 12, ready: 12, stopping: 6 }[kind];
  const fill = kind === "starting" ? { fill: `url(#hatch-${id})` } : {};
  return svg(
    "rect",
    { class: `piece ${kind}`, x: from, y: middle - high / 2, width, height: high, rx: 2, ...fill },
  );
}

// The table is made when it is seen, and only anew when there is something new to tell.
function tabled(state, details, table) {
  const course = state.told?.course;
  if (!details.open || course === undefined || course === state.tabled) return;
  state.tabled = course;
  replace(table, runsTable(course));
}

function drawn(state, { picture, marks, left }) {
  const { told, span, width } = state;
  if (told === null) return;
  write(left, leftOut(told.course));
  if (width === 0) return;
  const lanes = lanesOf(told.course);
  if (lanes.length === 0) {
    replace(picture, el("p", { class: "empty" }, "There was no run yet in what is shown."));
    marks.set([]);
    return;
  }
  const { from, until } = windowOf(lanes, span, told, LANES_MAX);
  const seen = lanes.filter((lane) => lane.until >= from && lane.from <= until);
  const shown = seen.slice(-LANES_MAX);
  const gutter = width < 480 ? 46 : 62;
  const x = scaled(from, until, gutter, width - RIGHT);
  const height = TOP + Math.max(1, shown.length) * LANE + 4;
  const had = laneInFocus(picture);
  const made = shown.map(
    (lane, index) => laneDrawn(lane, { x, width, middle: TOP + index * LANE + LANE / 2, told, until }),
  );
  replace(
    picture,
    svg(
      "svg",
      {
        class: "runs",
        width,
        height,
        viewBox: `0 0 ${width} ${height}`,
        role: "group",
        "aria-label": summary(seen, shown),
      },
      hatch("runs"),
      axis({ from, until, x, left: gutter, right: width - RIGHT, height }),
      nowLine(told.now, x, until, height),
      made.map((one) => one.node),
    ),
  );
  refocus(had, made);
  marks.set(made);
}

function laneInFocus(picture) {
  const { activeElement } = document;
  return picture.contains(activeElement) ? activeElement.closest("[data-lane]")?.dataset.lane : undefined;
}

// A drawing that is made anew keeps the focus on the run that had it.
function refocus(had, made) {
  const node = made.find((one) => one.key === had)?.node;
  if (node === undefined) return;
  node.setAttribute("tabindex", "0");
  node.focus({ preventScroll: true });
}

function summary(seen, shown) {
  const more = seen.length > shown.length ? `, the newest ${shown.length} of ${seen.length}` : "";
  return `Runs over time${more}. Arrow keys move between them.`;
}

function leftOut(course) {
  const gone = Object.values(course.left_out ?? {}).reduce((sum, count) => sum + count, 0);
  return gone === 0 ? "" : `${gone} older items are not shown.`;
}

function nowLine(now, x, until, height) {
  if (now > until) return null;
  const place = x(now).toFixed(1);
  return svg("line", { class: "now", x1: place, x2: place, y1: 16, y2: height, "aria-hidden": "true" });
}

function laneDrawn(lane, { x, width, middle, told, until }) {
  const end = x(Math.min(lane.until, until));
  const word = lane.run === null ? endOfWait(lane, told.now) : glyphOfEnd(lane.run);
  // Words that stand at the end of a wait take its last piece of room.
  const last = lane.run === null && end > width - ROOM ? end - 12 - 7 * word.text.length : Infinity;
  const pieces = lane.pieces.map(
    ({ kind, from, until: to }) => piece(
      kind,
      x(from),
      Math.max(x(from), Math.min(last, x(Math.min(to ?? told.now, until)))),
      middle,
    ),
  );
  const text = lane.run === null ? factsOfWait(lane.wait, told.now) : factsOfRun(lane.run, lane.waited);
  const key = lane.run === null ? "next" : String(lane.run.run);
  const isTight = end > width - ROOM;
  const node = svg(
    "g",
    { class: "lane", data: { lane: key } },
    svg("rect", { class: "ground", x: 0, y: middle - LANE / 2, width, height: LANE }),
    svg(
      "text",
      { class: "lane-name", x: 4, y: middle + 4 },
      lane.run === null ? "next" : `run ${lane.run.run}`,
    ),
    pieces,
    word.text === ""
      ? null
      : svg(
        "text",
        {
          class: `end ${word.tone}`,
          x: isTight ? before(lane, x, end) : end + 6,
          y: middle + 4,
          "text-anchor": isTight ? "end" : "start",
        },
        word.text,
      ),
  );
  return { node, text, key, holds: (had) => had.key === key };
}

// Near the right edge the words stand before the bar, if there is room, else on it.
function before(lane, x, end) {
  const bar = lane.pieces.find((one) => one.kind !== "wait");
  const place = bar === undefined ? end : x(bar.from);
  return place > 190 ? place - 8 : end - 8;
}

function endOfWait(lane, now) {
  if (lane.until <= now) return { text: "", tone: "" };
  return { text: lane.until === Infinity ? "held" : `▷ ${showCountdown(lane.until)}`, tone: "" };
}
