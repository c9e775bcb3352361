// The plots of the past: the fleet's availability and crashes over the newest stretch of
// the journal, or over all of it; a line stands where the slider stands.

import { get } from "./api.js";
import { el, mark, replace, write } from "./dom.js";
import { Newest } from "./later.js";
import { columnsOfHistory } from "./plot_columns.js";
import { mountPlots } from "./plots.js";

// Mount it; `go(seq)` moves the slider. Return
// `{load(base, head), cursor(at, row, head), stop()}`.
export function mountPastPlots(host, go) {
  const place = el("div", { class: "part" });
  const told = el("p", { class: "muted fine", role: "status" });
  const state = { base: 0, head: 0, last: null, isWhole: false, job: new Newest() };
  const words = [
    ["newest", "newest"],
    ["all", "the whole journal"],
  ];
  const buttons = words.map(
    ([key, word]) => el(
      "button",
      { type: "button", class: "choice", "aria-pressed": String(key === "newest"), data: { key } },
      word,
    ),
  );
  const chips = el("div", { class: "choices", role: "group", "aria-label": "How far back" }, buttons);
  const plots = mountPlots(place, "The fleet", (column) => go(column.seq));
  const load = () => {
    const points = Math.max(30, Math.min(160, Math.floor(host.clientWidth / 7)));
    const range = state.isWhole ? { from: state.base, until: state.head } : {};
    mark(host, "aria-busy", "true");
    write(told, state.isWhole ? "Counting …" : "");
    state.job.run(
      (signal) => get("/v1/history", { ...range, points }, signal),
      ({ body }) => {
        mark(host, "aria-busy", null);
        state.last = body.last_row;
        write(told, `Rows ${body.first_row} to ${body.last_row}.`);
        plots.update(columnsOfHistory(body), body.begins_at, body.ends_at);
      },
      (error) => {
        mark(host, "aria-busy", null);
        write(told, error.message);
      },
    );
  };
  chips.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button === null) return;
    state.isWhole = button.dataset.key === "all";
    for (const one of buttons) mark(one, "aria-pressed", String(one === button));
    load();
  });
  replace(host, el("div", { class: "strip" }, chips, told), place);
  return {
    load(base, head) {
      Object.assign(state, { base, head });
      load();
    },
    // Rows that came later are drawn once one looks at them.
    cursor(at, row, head) {
      plots.cursor(at);
      if (state.last === null || row <= state.last || state.job.isBusy) return;
      state.head = head;
      load();
    },
    stop() {
      state.job.stop();
      plots.stop();
    },
  };
}
