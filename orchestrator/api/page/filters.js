// What of the fleet is shown: text, phases, revision; all of it in the URL.
//
// Exports (stable):
//   asked(params)                the filter that a URL asks for:
//                                {text, words, looks: Set, revision: number | null}
//   written(filter)              the same as parameters of a URL (null: leave out)
//   admits(filter)               fn(info) -> whether it is shown
//   countsOf(infos)              how many look how, and are of which revision: {looks, revisions}
//   filterBar(change) -> {node, tools, field, draw(counts, filter)}
//                                the controls: node holds the phases, tools the rest; change({text?, looks?, revision?}) is
//                                called with what a person altered

import { el, mark, replace, write } from "./dom.js";
import { icon, lookOf, PHASES, phaseOf } from "./phases.js";

const LOOKS = PHASES.flatMap(({ name }) => (name === "running" ? ["not_ready", name] : [name]));
const NUMBERS = new Intl.NumberFormat("en");

export function asked({ q = "", phase = "", rev = "" }) {
  return {
    text: q,
    words: q.toLowerCase().split(/\s+/).filter(Boolean),
    looks: new Set(phase.split(",").filter((look) => LOOKS.includes(look))),
    revision: /^\d{1,15}$/.test(rev) ? Number(rev) : null,
  };
}

export function written({ text, looks, revision }) {
  const chosen = LOOKS.filter((look) => looks.has(look));
  return { q: text || null, phase: chosen.join(",") || null, rev: revision };
}

export function admits({ words, looks, revision }) {
  return (info) => {
    if (looks.size && !looks.has(lookOf(info))) return false;
    if (revision !== null && info.revision !== revision) return false;
    if (!words.length) return true;
    const text = `${info.name} ${info.why} ${info.last_exit ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

export function filterBar(change) {
  const chips = new Map();
  const list = el("div", { class: "fleet-chips", role: "group", "aria-label": "Show only these phases" });
  const bar = el("div", { class: "fleet-bar", "aria-hidden": "true" });
  const field = el("input", {
    type: "search",
    "aria-label": "Filter by name, reason or exit",
    placeholder: "Filter by name, reason or exit",
    autocomplete: "off",
    spellcheck: "false",
    "aria-keyshortcuts": "/",
    maxlength: "200",
    on: { input: () => change({ text: field.value }) },
  });
  const revisions = el("select", {
    "aria-label": "Revision",
    on: { change: () => change({ revision: revisions.value === "" ? null : Number(revisions.value) }) },
  });
  let filter = null;
  const toggle = (look) => {
    const looks = new Set(filter.looks);
    if (!looks.delete(look)) looks.add(look);
    change({ looks });
  };
  const draw = ({ looks: counts, revisions: numbers }, next) => {
    filter = next;
    if (field.value !== next.text && document.activeElement !== field) field.value = next.text;
    drawChips(list, chips, counts, next.looks, toggle);
    drawBar(bar, counts);
    drawRevisions(revisions, numbers, next.revision);
  };
  const tools = el("div", { class: "fleet-tools", role: "search" }, field, revisions);
  return { tools, node: el("div", { class: "fleet-filters" }, bar, list), field, draw };
}

export function countsOf(infos) {
  return { looks: counted(infos, lookOf), revisions: counted(infos, (info) => info.revision) };
}

function counted(infos, key) {
  const counts = new Map();
  for (const info of infos) counts.set(key(info), (counts.get(key(info)) ?? 0) + 1);
  return counts;
}

function drawChips(list, chips, counts, chosen, toggle) {
  let next = list.firstChild;
  for (const look of LOOKS) {
    const count = counts.get(look) ?? 0;
    const wanted = count > 0 || chosen.has(look);
    const chip = chips.get(look);
    if (!wanted) {
      if (chip?.node === next) next = next.nextSibling;
      chip?.node.remove();
      continue;
    }
    const made = chip ?? fresh(look, toggle);
    chips.set(look, made);
    write(made.count, NUMBERS.format(count));
    mark(made.node, "aria-pressed", String(chosen.has(look)));
    if (made.node === next) next = next.nextSibling;
    else list.insertBefore(made.node, next);
  }
}

function fresh(look, toggle) {
  const { word, tone } = phaseOf(look);
  const count = el("span", { class: "count" });
  const node = el(
    "button",
    { type: "button", class: `chip ${tone}`, data: { look }, on: { click: () => toggle(look) } },
    icon(look),
    el("span", null, word),
    count,
  );
  return { node, count };
}

function drawBar(bar, counts) {
  const text = JSON.stringify([...counts]);
  if (bar.dataset.drawn === text) return;
  bar.dataset.drawn = text;
  const there = LOOKS.filter((look) => counts.get(look));
  replace(bar, there.map((look) => el("span", { class: phaseOf(look).tone, style: { "flex-grow": counts.get(look) } })));
}

function drawRevisions(select, counts, chosen) {
  if (chosen !== null && !counts.has(chosen)) counts.set(chosen, 0);
  const there = [...counts].sort(([one], [other]) => other - one);
  select.hidden = there.length < 2 && chosen === null;
  const text = JSON.stringify([there, chosen]);
  if (select.dataset.drawn === text) return;
  select.dataset.drawn = text;
  replace(
    select,
    el("option", { value: "" }, "Any revision"),
    there.map(([revision, count]) => el("option", { value: revision }, `Revision ${revision} (${NUMBERS.format(count)})`)),
  );
  select.value = chosen ?? "";
}
