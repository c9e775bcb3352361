// The tail of a container's log: what the platform gives, followed if that is wished.

import { open, refused } from "./api.js";
import { save } from "./copies.js";
import { el, replace, write } from "./dom.js";
import { Newest } from "./later.js";
import { lines as linesOf } from "./lines.js";
import { onZone, showClock, showExact } from "./times.js";

const LINES_MAX = 1_000;
const NOTHING = "The platform gives no line of a log.";

// Mount it; return `{stop()}`. Nothing is fetched before the log is asked for.
export function mountLog(host, name) {
  const lines = el(
    "pre",
    { class: "log", tabindex: "0", role: "log", "aria-label": `Log of ${name}`, "aria-live": "off" },
  );
  const told = el("p", { class: "muted fine", role: "status" });
  const follow = el("input", { type: "checkbox", checked: true });
  const load = el("button", { type: "button" }, "Show the log");
  const download = el("button", { type: "button", class: "small" }, "Download");
  const state = { name, job: new Newest(), saving: new Newest(), count: 0, waiting: [], asked: false, lines, told };
  const begin = () => {
    state.count = 0;
    state.waiting = [];
    replace(lines);
    lines.hidden = false;
    write(load, "Show it again");
    write(told, "Reading …");
    state.job.run(
      (signal) => shown(state, follow.checked, signal),
      () => write(told, state.count === 0 ? NOTHING : `${counted(state.count)}; the log ends here.`),
      (error) => write(told, error.message ?? "The log ended."),
    );
  };
  lines.hidden = true;
  load.addEventListener("click", begin);
  follow.addEventListener("change", () => {
    if (!lines.hidden) begin();
  });
  download.addEventListener("click", () => saved(state, download));
  replace(
    host,
    el("div", { class: "strip" }, load, el("label", {}, follow, " follow"), download),
    told,
    lines,
  );
  const offZone = onZone(() => {
    for (const node of lines.querySelectorAll(".line-at[data-ms]")) timed(node);
  });
  return {
    stop() {
      state.job.stop();
      state.saving.stop();
      offZone();
    },
  };
}

// Yield the lines that the platform has, and with `follow` those that come.
async function* read(name, follow, signal) {
  const path = `/v1/containers/${encodeURIComponent(name)}/log`;
  const response = await open(
    path,
    { follow: follow ? "true" : null },
    { Accept: "application/x-ndjson" },
    signal,
  );
  if (!response.ok) throw refused(response, await response.json().catch(() => null));
  for await (const text of linesOf(response.body)) if (text !== "") yield JSON.parse(text);
}

async function shown(state, follow, signal) {
  if (follow) write(state.told, "Following: new lines come by themselves.");
  for await (const line of read(state.name, follow, signal)) take(state, line);
}

// Save all that the platform has, whatever is shown.
function saved(state, button) {
  button.disabled = true;
  const done = (text) => {
    button.disabled = false;
    if (text !== "") write(state.told, text);
  };
  state.saving.run(
    async (signal) => {
      const texts = [];
      for await (const line of read(state.name, false, signal)) texts.push(`${textOf(line)}\n`);
      return texts;
    },
    (texts) => {
      if (texts.length > 0) save(`${state.name}.log`, texts.join(""), "text/plain");
      done(texts.length === 0 ? NOTHING : "");
    },
    (error) => done(error.message),
  );
}

function counted(count) {
  return `${count} ${count === 1 ? "line" : "lines"}`;
}

// Lines are shown once a frame, however many have come.
function take(state, line) {
  state.waiting.push(line);
  state.count += 1;
  if (state.asked) return;
  state.asked = true;
  requestAnimationFrame(() => {
    state.asked = false;
    const { lines } = state;
    const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    const news = state.waiting.slice(-LINES_MAX);
    state.waiting = [];
    lines.append(...news.map(row));
    while (lines.childElementCount > LINES_MAX) lines.firstElementChild.remove();
    if (atEnd) lines.scrollTop = lines.scrollHeight;
  });
}

function textOf(line) {
  return `${line.at ? new Date(line.at).toISOString() : ""} ${line.stream} ${line.text}`;
}

function row(line) {
  const isError = line.stream === "e";
  return el(
    "span",
    { class: isError ? "line stderr" : "line" },
    timed(el("span", { class: "line-at", data: line.at ? { ms: line.at } : {} })),
    el(
      "span",
      { class: "line-stream", title: isError ? "standard error" : "standard output" },
      isError ? "err" : "out",
    ),
    `${line.text}\n`,
  );
}

// Write when a line was said, in the way that is chosen.
function timed(node) {
  if (node.dataset.ms === undefined) return node;
  const at = Number(node.dataset.ms);
  write(node, showClock(at));
  node.title = showExact(at);
  return node;
}
