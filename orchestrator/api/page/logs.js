// The tail of a container's log: what the platform gives, followed if that is wished.

import { open, refused } from "./api.js";
import { save } from "./copies.js";
import { el, replace, write } from "./dom.js";
import { Newest } from "./later.js";
import { showExact } from "./times.js";

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
  const state = { name, job: new Newest(), kept: [], count: 0, waiting: [], asked: false, lines, told };
  const begin = () => {
    state.kept = [];
    state.count = 0;
    replace(lines);
    lines.hidden = false;
    write(load, "Show it again");
    write(told, "Reading …");
    state.job.run(
      (signal) => read(state, follow.checked, signal),
      () => write(
        told,
        state.count === 0
          ? NOTHING
          : `${state.count} ${state.count === 1 ? "line" : "lines"}; the log ends here.`,
      ),
      (error) => write(told, error.message ?? "The log ended."),
    );
  };
  lines.hidden = true;
  load.addEventListener("click", begin);
  follow.addEventListener("change", () => {
    if (!lines.hidden) begin();
  });
  download.addEventListener(
    "click",
    () => save(`${name}.log`, state.kept.map(textOf).join("\n"), "text/plain"),
  );
  replace(
    host,
    el("div", { class: "strip" }, load, el("label", {}, follow, " follow"), download),
    told,
    lines,
  );
  return { stop: () => state.job.stop() };
}

async function read(state, follow, signal) {
  const path = `/v1/containers/${encodeURIComponent(state.name)}/log`;
  const response = await open(
    path,
    { follow: follow ? "true" : null },
    { Accept: "application/x-ndjson" },
    signal,
  );
  if (!response.ok) throw refused(response, await response.json().catch(() => null));
  if (follow) write(state.told, "Following: new lines come by themselves.");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) if (part !== "") take(state, JSON.parse(part));
  }
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
    state.kept.push(...state.waiting);
    const news = state.waiting.slice(-LINES_MAX);
    state.waiting = [];
    state.kept.splice(0, Math.max(0, state.kept.length - LINES_MAX));
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
    el(
      "span",
      { class: "line-at", title: line.at ? showExact(line.at) : null },
      line.at ? clock(line.at) : "",
    ),
    el(
      "span",
      { class: "line-stream", title: isError ? "standard error" : "standard output" },
      isError ? "err" : "out",
    ),
    `${line.text}\n`,
  );
}

function clock(at) {
  return new Date(at).toISOString().slice(11, 23);
}
