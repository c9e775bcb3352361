// What a test may do to the objects of the gateway that nobody else may.

/** Methods that a test may break: who calls an object finds them on its class only. */
const BREAKABLE = ["start", "stop", "retire", "look", "probe", "load"];

/** @returns a class of objects, with what a test may ask of one */
export function tested(Base) {
  class Tested extends Base {
    /** What it remembers. */
    remembered() {
      return this.memory.record;
    }

    /** The news that it still has to tell. */
    untold() {
      return this.memory.untold(1_000);
    }

    /** The milliseconds until its alarm. */
    async alarmIn() {
      const at = await this.ctx.storage.getAlarm();
      return at === null ? null : at - Date.now();
    }

    async loseAlarm() {
      await this.ctx.storage.deleteAlarm();
    }

    /** Call a method as it would be some time from now; alarms come by the real clock. */
    async ahead(ms, method, ...words) {
      const { now } = Date;
      Date.now = () => now() + ms;
      try {
        return await this[method](...words);
      } finally {
        Date.now = now;
      }
    }

    /** How often a method was called. */
    timesCalled(method) {
      return this.called?.[method] ?? 0;
    }

    /** Have each call of a method fail with a text, never be answered, or be as it was. */
    break(method, how) {
      this.broken = { ...this.broken, [method]: how };
    }
  }
  for (const method of BREAKABLE) {
    Tested.prototype[method] = async function (...words) {
      this.called = { ...this.called, [method]: this.timesCalled(method) + 1 };
      const how = this.broken?.[method];
      if (how === "hangs") await scheduler.wait(600_000);
      if (how) throw new Error(how);
      return Base.prototype[method].apply(this, words);
    };
  }
  return Tested;
}

/** @returns the registry, with what a test may ask of it */
export function testedRegistry(Base) {
  return class extends tested(Base) {
    /** Refuse to hear news; "late": hear them, but let the answer be lost. */
    deafen(how) {
      this.deafness = how;
    }

    tries() {
      return this.recorded ?? 0;
    }

    async record(view, news) {
      this.recorded = this.tries() + 1;
      if (this.deafness === "deaf") throw new Error("the registry is down");
      await super.record(view, news);
      if (this.deafness === "late") throw new Error("the answer is lost");
    }

    /** Let the feed go on as if so many news had been in it, all of them pruned. */
    leap(seq) {
      this.ledger.rows("INSERT INTO feed (seq, body) VALUES (?, ?)", seq, JSON.stringify({ type: "leapt" }));
    }

    /** Know containers that nothing has started: at rest as a view says, or yet to be asked. */
    register(names, binding, view) {
      for (const name of names) {
        this.ledger.enrol(name, { binding, run: 1, leaving: [] });
        if (view) this.ledger.keepView(name, { ...view, name, run: 1 });
      }
    }

    /** How many wait for news. */
    listeners() {
      return this.news.waiting.size;
    }

    /** How many wait for rows of the journal, or for another holder of the lease. */
    readers() {
      return this.changes.waiting.size;
    }

    /** How many pages of rows were read from the storage since it was first asked. */
    pagesRead() {
      const { archive } = this;
      if (this.pages === undefined) {
        this.pages = 0;
        archive.read = (...words) => {
          this.pages += 1;
          return Object.getPrototypeOf(archive).read.apply(archive, words);
        };
      }
      return this.pages;
    }

    /** Put the last renewal of the lease back by so long. */
    age(ms) {
      this.lease.renewedAt -= ms;
    }

    /** When a renewal of the lease was last written down. */
    leaseWrittenAt() {
      return this.ledger.fact("lease").at;
    }

    /** How many rows, parts and snapshots are stored, also such as nobody sees any more. */
    stored() {
      const count = (table) => this.archive.all(`SELECT COUNT(*) AS count FROM ${table}`)[0].count;
      return ["journal_rows", "journal_parts", "snapshots", "snapshot_parts"].map(count);
    }

    /** Write over the line of a row, as a damage would. */
    damage(seq, line) {
      this.archive.all("UPDATE journal_rows SET body = ? WHERE seq = ?", new TextEncoder().encode(line), seq);
    }

    /** Have a row be gone, as a damage would. */
    lose(seq) {
      this.archive.all("DELETE FROM journal_rows WHERE seq = ?", seq);
    }

    /** Let the storage seem to hold so many bytes. */
    hold(bytes) {
      this.archive.bytesStored = () => bytes;
    }

    /** Have the storage be full once so many rows, or parts of rows, were written. */
    fillAfter(writes) {
      const { archive } = this;
      const { all } = Object.getPrototypeOf(archive);
      let left = writes;
      archive.all = (query, ...values) => {
        if (query.startsWith("INSERT INTO journal_") && left-- <= 0) {
          throw new Error("database or disk is full: SQLITE_FULL");
        }
        return all.call(archive, query, ...values);
      };
    }

    /** Let the database have so many pages at most: by the runtime itself, which must be asked to. */
    limitPages(pages) {
      this.ctx.storage.sql.setMaxPageCountForTest(pages);
    }

    /** As much room as there is. */
    makeRoom() {
      delete this.archive.bytesStored;
      delete this.archive.all;
    }
  };
}
