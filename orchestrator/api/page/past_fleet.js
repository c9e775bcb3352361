// The fleet at a place of the past: how many were in which phase, a filter, the table.
// Of a large fleet the first containers are shown, and that is said.

import { el, replace, write } from "./dom.js";
import { icon, phaseOf, rank } from "./phases.js";
import { href } from "./routes.js";
import { table } from "./table.js";

// Mount it; return `{show(infos, at, total), stop()}`; total: how many there were.
export function mountPastFleet(host) {
  const state = { infos: [], at: 0, text: "" };
  const counts = el("ul", { class: "counts", "aria-label": "Containers by phase" });
  const filter = el(
    "input",
    { type: "search", placeholder: "filter by name, phase or reason", "aria-label": "Filter the fleet" },
  );
  const none = el("p", { class: "empty" });
  const part = el("p", { class: "muted", hidden: true });
  const fleet = table({
    label: "The fleet at this place",
    href: (info) => href("container", { name: info.name, at: state.at }),
    sort: { key: "name", way: 1 },
    onSort: (sort) => {
      fleet.sortBy(sort);
      render();
    },
  });
  const render = () => {
    const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = state.infos.filter(
      (info) => words.every(
        (word) => `${info.name} ${phaseOf(info).word} ${info.why}`.toLowerCase().includes(word),
      ),
    );
    // What is hidden has no place, and the table asks for its own.
    fleet.node.hidden = shown.length === 0;
    fleet.show(shown);
    none.hidden = shown.length > 0;
    write(none, state.infos.length === 0 ? "There was no container yet." : "No container matches.");
  };
  filter.addEventListener("input", () => {
    state.text = filter.value;
    render();
  });
  replace(
    host,
    el("div", { class: "strip" }, counts, filter),
    part,
    el("div", { class: "fleet-then" }, fleet.node),
    none,
  );
  // What grows or shrinks above moves the table, and other rows come into sight.
  const moved = new ResizeObserver(() => requestAnimationFrame(render));
  moved.observe(host.closest(".details"));
  return {
    show(infos, at, total) {
      part.hidden = total === infos.length;
      write(part, `These are the first ${infos.length} of ${total} containers, in the order of their names.`);
      state.infos = infos;
      state.at = at;
      replace(counts, counted(infos));
      render();
    },
    stop() {
      moved.disconnect();
      fleet.leave();
    },
  };
}

function counted(infos) {
  const numbers = new Map();
  for (const info of infos) {
    const { word, tone } = phaseOf(info);
    const one = numbers.get(word) ?? { info, word, tone, count: 0, place: rank(info) };
    one.count += 1;
    numbers.set(word, one);
  }
  return [...numbers.values()]
    .sort((a, b) => a.place - b.place)
    .map(
      ({ info, word, tone, count }) => el("li", { class: `phase ${tone}` }, icon(info), `${count} ${word}`),
    );
}
