// The feed of a fleet's news, as its readers see it: pages behind a cursor.
//
// A cursor is the feed's generation and a number in it; one of another feed, or of news
// that are yet to come, is unknown, and whoever shows it begins anew and is told so.

import { refuse } from "./http.js";

const NUMBER = /^\d{1,15}$/;

export class Feed {
  constructor(ledger) {
    this.ledger = ledger;
  }

  /** News after a cursor, and whether some that come before them are lost. */
  page(after, limit) {
    const generation = this.ledger.fact("generation");
    const [of, number] = after.split(":");
    const { first, last } = this.ledger.ends();
    const known = of === generation && NUMBER.test(number ?? "") && Number(number) <= last;
    const seq = known ? Number(number) : 0;
    const events = this.ledger.after(seq, limit);
    return {
      cursor: `${generation}:${events.at(-1)?.seq ?? seq}`,
      lost: (after !== "" && !known) || (known && seq < first - 1),
      events: events.map(({ seq: place, ...event }) => ({ cursor: `${generation}:${place}`, ...event })),
    };
  }

  /** Let the news up to a cursor go. */
  acknowledge(cursor) {
    const [of, number] = cursor.split(":");
    if (of !== this.ledger.fact("generation") || !NUMBER.test(number ?? "")) {
      return refuse(409, "unknown_cursor", "the cursor is of another feed");
    }
    this.ledger.acknowledge(Number(number));
    return {};
  }
}
