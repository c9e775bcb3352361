// The cards of a container's page, and the places in them that its parts fill.

import { el, replace } from "./dom.js";
import { href } from "./routes.js";

// Build them for `{name, at}`. Return the places by name: `belonging`, `note`, `columns`,
// and for each card its own and, with `_note` behind its name, that of a line above it.
export function buildCards(root, { name, at }) {
  const places = { note: el("div", { class: "place-note" }), belonging: el("div") };
  const isPast = at !== null;
  places.columns = columns(places, isPast);
  replace(
    root,
    el("div", { class: "details" }, trail(at), title(name, isPast), places.belonging, places.note, places.columns),
  );
  return places;
}

function trail(at) {
  const isPast = at !== null;
  return el(
    "nav",
    { class: "trail", "aria-label": "Where you are" },
    el(
      "a",
      { href: isPast ? href("past", { at }) : href("fleet") },
      isPast ? "← the fleet at this place" : "← the fleet",
    ),
  );
}

function title(name, isPast) {
  return el(
    "header",
    { class: "title" },
    el("h1", {}, name),
    isPast ? null : el("a", { class: "past-link", href: href("past", { follow: name }) }, "Go back in time"),
  );
}

function columns(places, isPast) {
  const card = (id, heading) => {
    places[id] = el("div", { class: `part part-${id}` });
    places[`${id}_note`] = el("p", { class: "muted fine" });
    return el(
      "section",
      { class: "card box", id: `card-${id}`, "aria-labelledby": `title-${id}` },
      el("h2", { id: `title-${id}` }, heading),
      places[`${id}_note`],
      places[id],
    );
  };
  return el(
    "div",
    { class: "columns" },
    el(
      "div",
      { class: "stack" },
      card("why", "Why it is there"),
      isPast ? null : card("actions", "Actions"),
      card("health", "Health checks"),
    ),
    el(
      "div",
      { class: "stack wide" },
      card("runs", "Runs"),
      card("plots", "Availability and crashes"),
      card("events", "Events"),
      isPast ? null : card("log", "Log"),
      card("spec", "Declared"),
    ),
  );
}
