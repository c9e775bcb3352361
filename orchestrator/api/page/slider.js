// The slider over the journal and the buttons beside it: a row back or on, the ends,
// play, jumps to the rows of a container and to crashes, a row by its number.

import { el, mark, replace, write } from "./dom.js";
import { showExact } from "./times.js";

const SPEEDS = [
  [1000, "1 row a second"],
  [500, "2 rows a second"],
  [200, "5 rows a second"],
  [80, "12 rows a second"],
];

// Mount it; `on` = {move(at), play(), speed(ms), name(name), jump(what, way)}. Return
// what sets it: `{ends, at, moment, names, name, playing, busy}`.
export function mountSlider(host, on) {
  const range = el(
    "input",
    { type: "range", class: "slider", min: 0, max: 0, step: 1, "aria-label": "Row of the journal" },
  );
  const number = el(
    "input",
    { type: "number", class: "row-number", min: 0, "aria-label": "Row number", inputmode: "numeric" },
  );
  const low = el("span", {});
  const high = el("span", {});
  const play = button("▶", "Play", () => on.play());
  const state = { at: 0, base: 0, head: 0, moment: null };
  const known = el("datalist", { id: "names-then" });
  const chosen = el(
    "input",
    {
      type: "text",
      class: "whose",
      list: "names-then",
      placeholder: "any container",
      "aria-label": "Container to follow",
      autocomplete: "off",
      spellcheck: "false",
    },
  );
  const speed = el(
    "select",
    { "aria-label": "Speed" },
    SPEEDS.map(([ms, word]) => el("option", { value: ms, selected: ms === 500 }, word)),
  );
  range.addEventListener("input", () => on.move(Number(range.value)));
  number.addEventListener("change", () => {
    if (number.value === "") number.value = String(state.at);
    else on.move(Math.round(Number(number.value)));
    // Where it does not move, what was typed is no row.
    number.value = String(state.at);
  });
  chosen.addEventListener("change", () => on.name(chosen.value.trim()));
  speed.addEventListener("change", () => on.speed(Number(speed.value)));
  const busy = el("span", { class: "muted fine", role: "status" });
  replace(
    host,
    el("div", { class: "slider-line" }, low, range, high),
    el(
      "div",
      { class: "controls" },
      el(
        "div",
        { class: "group", role: "group", "aria-label": "Move" },
        button("⇤", "To the first row", () => on.move(state.base)),
        button("←", "One row back", () => on.move(state.at - 1)),
        play,
        button("→", "One row on", () => on.move(state.at + 1)),
        button("⇥", "To the newest row", () => on.move(state.head)),
      ),
      el("label", { class: "group" }, "row ", number),
      speed,
      el(
        "div",
        { class: "group", role: "group", "aria-label": "Rows of a container" },
        chosen,
        known,
        button("◂ row", "Previous row of the container", () => on.jump("row", -1)),
        button("row ▸", "Next row of the container", () => on.jump("row", 1)),
      ),
      el(
        "div",
        { class: "group", role: "group", "aria-label": "Crashes" },
        button("◂ crash", "Previous crash", () => on.jump("crash", -1)),
        button("crash ▸", "Next crash", () => on.jump("crash", 1)),
      ),
      busy,
    ),
  );
  return setters(state, { range, number, low, high, play, chosen, known, busy });
}

function button(text, name, press) {
  return el(
    "button",
    { type: "button", class: "step", "aria-label": name, title: name, on: { click: press } },
    text,
  );
}

function setters(state, { range, number, low, high, play, chosen, known, busy }) {
  const said = () => {
    const when = state.moment === null ? "" : `, ${showExact(state.moment)}`;
    mark(range, "aria-valuetext", `row ${state.at} of ${state.head}${when}`);
  };
  return {
    ends(base, head) {
      Object.assign(state, { base, head });
      for (const input of [range, number]) {
        mark(input, "min", base);
        mark(input, "max", head);
      }
      write(low, String(base));
      write(high, String(head));
      range.value = String(state.at);
      said();
    },
    at(row) {
      state.at = row;
      state.moment = null;
      if (range.value !== String(row)) range.value = String(row);
      number.value = String(row);
      said();
    },
    moment(row, at) {
      if (row !== state.at) return;
      state.moment = at;
      said();
    },
    names(names) {
      if (names.length !== known.children.length || names.some((name, place) => known.children[place].value !== name)) {
        replace(known, names.map((name) => el("option", { value: name })));
      }
    },
    name(name) {
      if (chosen.value !== name) chosen.value = name;
    },
    playing(is) {
      write(play, is ? "❚❚" : "▶");
      mark(play, "aria-label", is ? "Pause" : "Play");
      mark(play, "title", is ? "Pause" : "Play");
    },
    busy(is) {
      write(busy, is ? "Searching …" : "");
    },
  };
}
