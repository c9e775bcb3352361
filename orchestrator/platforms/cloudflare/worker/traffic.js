// How much of the owner's own traffic a container bears: what is in flight now, and its
// sum over time, so that whoever asks now and then knows the average in between.
//
// It is kept in memory alone. An object that was evicted served nobody: its sum begins
// anew, at another `since`.

export class Traffic {
  constructor(clock = Date.now) {
    this.clock = clock;
    this.inFlight = 0;
    this.busyMs = 0;
    this.since = this.at = clock();
  }

  /** Count a request for as long as a step takes: until its answer begins. */
  async during(step) {
    this.count(1);
    try {
      return await step();
    } finally {
      this.count(-1);
    }
  }

  count(by) {
    const now = this.clock();
    this.busyMs += this.inFlight * Math.max(0, now - this.at);
    this.at = now;
    this.inFlight += by;
  }

  /** Say what is in flight, and the sum of that over all milliseconds since it began. */
  told() {
    this.count(0);
    return { in_flight: this.inFlight, busy_ms: this.busyMs, since: this.since, now: this.at };
  }
}

/** Ask containers what they bear; one that does not answer is named without. */
export async function borneBy(rows, each, ask) {
  const told = new Map();
  await each(rows, async (row) => told.set(row.name, await ask(row)));
  return rows.map(({ name }) => ({ name, ...told.get(name) }));
}
