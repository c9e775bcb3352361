// The start of the page: the frame around it, the stream, and one view at a time.
//
// Exports nothing. A view is a module with `mount(root, params) -> unmount`; params are
// those of routes.where() (for a container or a service also `name`).
// `unmount.update(params)`, if there is one, is told of new parameters of the same view
// instead of a new mount;
// `unmount.returned() -> bool` may put the reader back where they were before they left.

import { el, replace, say } from "./dom.js";
import { where } from "./routes.js";
import { frame, shown } from "./shell.js";
import { onStatus, start, status } from "./stream.js";

const VIEWS = {
  fleet: () => import("./fleet.js"),
  container: () => import("./container.js"),
  past: () => import("./past.js"),
  service: () => import("./service.js"),
};

const root = document.getElementById("view");
let current = { key: null, unmount: null };
let turn = 0;

async function show() {
  const { view, params } = where();
  const key = ["container", "service"].includes(view) ? `${view} ${params.name}` : view;
  // Who comes back before another view was loaded has called that view off.
  const mine = (turn += 1);
  if (key === current.key && current.unmount?.update) {
    current.unmount.update(params);
    return;
  }
  const module = await load(view);
  if (mine !== turn) return;
  current.unmount?.();
  replace(root);
  const first = current.key === null;
  current = { key, unmount: module.mount(root, params) ?? null };
  shown(view, params);
  if (first) return;
  say(document.title);
  if (current.unmount?.returned?.()) return;
  scrollTo(0, 0);
  root.focus({ preventScroll: true });
}

async function load(view) {
  if (!(view in VIEWS)) return { mount: nowhere };
  try {
    return await VIEWS[view]();
  } catch (problem) {
    // While nobody answers, no file comes either, and that is told already.
    if (status().state === "live") reportError(problem);
    return { mount: unloaded };
  }
}

// The other views are loaded before they are asked for: then they can be opened, and
// tell what they know, although the operator has gone away meanwhile.
function loadAll() {
  for (const module of Object.values(VIEWS)) module().catch(() => {});
}

function nowhere(place) {
  replace(place, message("There is no such page.", el("a", { href: "#/" }, "To the fleet")));
}

// Once the operator answers again, it is tried again.
function unloaded(place) {
  const again = el("button", { type: "button", on: { click: () => location.reload() } }, "Load the page again");
  replace(place, message("This part of the page could not be loaded.", again));
  let was = status().state;
  return onStatus(({ state }) => {
    const isBack = state === "live" && was !== "live";
    was = state;
    if (!isBack) return;
    current.key = "unloaded";
    void show();
  });
}

function message(text, action) {
  return el("div", { class: "state" }, el("p", null, text), action);
}

frame();
start();
addEventListener("hashchange", () => void show());
void show().then(loadAll);
