// The alarm of an object: set to what is due first, and set anew where it was lost.
//
// What must happen later (a kill after the grace, sleep, news, a look at what nobody
// watches) is due at a moment that can be told from the record. So it happens although
// the object was evicted meanwhile.

import { LOOK_MS } from "./ready.js";

/** Between two beats while a container lives; each also renews the watch of it. */
export const BEAT_MS = 300_000;

/** After which a kill, or a look at what seems to be over, is tried again. */
export const AGAIN_MS = 1_000;

/** How long a forgotten container refuses the runs that it has had. */
export const GONE_MS = 600_000;

/** An alarm so late is taken for lost. */
const LATE_MS = 5_000;

export class Alarm {
  constructor(run, storage) {
    this.run = run;
    this.storage = storage;
  }

  /** Notice that it was lost; asked on every request. */
  async wake() {
    if (!this.run.isLive && !this.run.memory.hasNews()) return;
    const at = await this.storage.getAlarm();
    if (at === null || at < Date.now() - LATE_MS) await this.arm();
  }

  /** Set it to what is due next. */
  async arm() {
    const now = Date.now();
    const due = this.due(now);
    if (due.length > 0) await this.storage.setAlarm(Math.max(now, Math.min(...due)));
    else await this.storage.deleteAlarm();
  }

  /** When what is due, in no order. */
  due(now) {
    const { record, memory, post, isLive, isWell, usedAt } = this.run;
    const { intent, phase, gone_at: goneAt, sleep_after_ms: sleeps, ready_at: readyAt } = record;
    const due = [];
    if (memory.hasNews()) due.push(now + post.again);
    if (phase === "gone") due.push(goneAt + GONE_MS);
    if (!isLive) return due;
    due.push(now + (isWell ? (readyAt ? BEAT_MS : LOOK_MS[2]) : AGAIN_MS));
    if (intent) due.push(intent.kill_at > now ? intent.kill_at : now + AGAIN_MS);
    else if (sleeps !== null && readyAt) due.push(usedAt + sleeps);
    return due;
  }
}
