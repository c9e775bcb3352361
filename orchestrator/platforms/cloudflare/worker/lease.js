// The lease: the right to lead for some time, which its holder renews.
//
// It decides only when another may take over. That two never lead at once rests on the
// epoch: who has an older one is refused, whatever any clock says.
//
// Note [Late rather than early]. Every call under its epoch renews it, in memory; it is
// written at most once in each quarter of its time, for a write costs money. So an object
// that was made anew may know of a moment only that is a quarter too old. It then counts
// from that moment and a quarter: a holder that believes in its lease has it, and another
// waits a quarter longer at most. A clock that was set back is met in the same way.

/** A renewal is written down once in each of so many parts of its time. */
const WRITTEN_PARTS = 4;

export class Lease {
  constructor(ledger) {
    this.ledger = ledger;
    this.granted = ledger.fact("lease") ?? null;
    this.renewedAt = this.granted === null ? 0 : this.granted.at + this.part;
  }

  get part() {
    return Math.ceil(this.granted.ms / WRITTEN_PARTS);
  }

  /** Give it to a holder under an epoch; null: this epoch leads without one. */
  grant(epoch, wish, now) {
    this.granted = wish === null ? null : { epoch, holder: wish.holder, ms: wish.ms, since: now, at: now };
    this.renewedAt = now;
    this.ledger.setFact("lease", this.granted);
  }

  /** Renew it: its holder asks. One that ran out, and that nobody took, is in force again. */
  renew(now) {
    if (this.granted === null) return;
    this.renewedAt = now;
    if (now >= this.granted.at && now - this.granted.at < this.part) return;
    this.granted = { ...this.granted, at: now };
    this.ledger.setFact("lease", this.granted);
  }

  /** A call came under its epoch. One that ran out stays so: it may be a tool that calls. */
  heard(now) {
    if (this.inForce(now) !== null) this.renew(now);
  }

  /** It is nobody's from now on. */
  release() {
    if (this.granted !== null) this.grant(0, null, 0);
  }

  /** @returns the lease, as others may know it, where it is in force; else null */
  inForce(now) {
    if (this.granted === null) return null;
    this.renewedAt = Math.min(this.renewedAt, now + this.part);
    const { epoch, holder, since, ms } = this.granted;
    const left = this.renewedAt + ms - now;
    return left > 0 ? { epoch, holder, since, ms, expires_in_ms: left } : null;
  }
}
