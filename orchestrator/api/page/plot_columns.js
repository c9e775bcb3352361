// What is plotted, as numbers: columns of time with the share that was available and the
// crashes in them, from the fleet's history or from the timeline of one container. As time
// goes on the columns grow wider: `moment` is what one of them stands for then, the crash
// that is shown in it, or else its middle.

// Return columns from the answer of /v1/history: what each point stands at, and the
// crashes and restarts since the point before.
export function columnsOfHistory(history) {
  let from = history.begins_at;
  return history.points.map((point) => {
    const column = {
      from,
      until: point.at,
      moment: (from + point.at) / 2,
      seq: point.seq,
      share: point.wanted === 0 ? null : point.ready / point.wanted,
      ready: `${point.ready} of ${point.wanted} ready`,
      crashes: point.crashes,
      restarts: point.restarts ?? null,
    };
    from = point.at;
    return column;
  });
}

// Return columns for one container: the time it was ready of the time it was wanted.
export function columnsOfCourse(course, begins, ends, count) {
  const width = Math.max(1, (ends - begins) / count);
  const columns = Array.from({ length: count }, (_, place) => ({
    from: begins + place * width,
    until: begins + (place + 1) * width,
    moment: begins + (place + 0.5) * width,
    seq: null,
    wanted: 0,
    had: 0,
    crashes: 0,
    restarts: null,
  }));
  const at = (moment) => Math.min(count - 1, Math.max(0, Math.floor((moment - begins) / width)));
  for (const span of course.spans) {
    if (!span.wanted) continue;
    const until = span.until_at ?? ends;
    for (let place = at(span.since_at); place <= at(until); place += 1) {
      const { from, until: end } = columns[place];
      const inside = Math.max(0, Math.min(end, until) - Math.max(from, span.since_at));
      columns[place].wanted += inside;
      if (span.ready) columns[place].had += inside;
    }
  }
  for (const run of course.runs) {
    if (!run.crashed || run.ended_at === null) continue;
    const column = columns[at(run.ended_at)];
    column.crashes += 1;
    column.seq = run.ended_row;
    column.moment = run.ended_at;
  }
  return columns.map((column) => {
    const share = column.wanted === 0 ? null : Math.min(1, column.had / column.wanted);
    return { ...column, share, ready: share === null ? "not wanted" : `ready ${percent(share)} of the time` };
  });
}

// Say in one line what a timeline's totals come to.
export function totalsWords({ availability, crashes, restarts }) {
  const share = availability === null
    ? "It was not wanted running"
    : `It was ready ${percent(availability)} of the time it was wanted`;
  const counted = (count, word) => `${count} ${word}${count === 1 ? "" : word === "crash" ? "es" : "s"}`;
  return `${share}; ${counted(crashes, "crash")}, ${counted(restarts, "restart")}.`;
}

// Write a share as people do; what is nearly all is not called all.
export function percent(share) {
  const text = (share * 100).toFixed(share < 1 && share > 0.99 ? 2 : 1);
  return `${text.replace(/\.0+$/, "")} %`;
}
