// What the object of a container remembers: one record, and the news not yet told.
//
// All of it is synchronous SQL, so that what one step writes is written together. The
// environment of a container is never part of it.

/** What is remembered of a container that nobody has started here. */
const BLANK = {
  fleet: "",
  name: "",
  application: "",
  incarnation: "",
  run: 0,
  closed: 0,
  revision: 0,
  fingerprint: "",
  phase: "none",
  ports: {},
  wait_for: [],
  stop: { signal: 15, grace_ms: 10_000 },
  keep_alive: true,
  sleep_after_ms: null,
  start_deadline: 0,
  begun_at: null,
  started_at: null,
  ready_at: null,
  active_at: 0,
  gone_at: null,
  intent: null,
  end: null,
  problem: null,
};

const TABLES = [
  "CREATE TABLE IF NOT EXISTS record (id INTEGER PRIMARY KEY CHECK (id = 1), body TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)",
];

export class Memory {
  constructor(sql) {
    this.sql = sql;
    this.open();
  }

  /** Read what there is; who has nothing to remember stores nothing. */
  open() {
    this.hasTables = this.sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'record'").toArray().length > 0;
    const [row] = this.hasTables ? this.sql.exec("SELECT body FROM record").toArray() : [];
    this.record = { ...BLANK, ...(row && JSON.parse(row.body)) };
  }

  write(statement, ...values) {
    if (!this.hasTables) for (const table of TABLES) this.sql.exec(table);
    this.hasTables = true;
    this.sql.exec(statement, ...values);
  }

  /** Change the record; durable before anything is answered. */
  put(changes) {
    this.record = { ...this.record, ...changes };
    const body = JSON.stringify(this.record);
    this.write("INSERT INTO record VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body", body);
    return this.record;
  }

  /** Write the beginning of a run down: all of its order but its environment. */
  begin(order, now) {
    const { fleet, name, application, run, revision, fingerprint, ports, wait_for, stop, keep_alive } = order;
    return this.put({
      ...BLANK,
      ...{ fleet, name, application, run, revision, fingerprint, ports, wait_for, stop, keep_alive },
      incarnation: this.record.incarnation || crypto.randomUUID(),
      closed: this.record.closed,
      phase: "starting",
      sleep_after_ms: order.sleep_after_ms ?? null,
      start_deadline: now + order.start_timeout_ms,
      begun_at: now,
      active_at: now,
    });
  }

  /** Put news into the outbox. */
  tell(news) {
    this.write("INSERT INTO outbox (body) VALUES (?)", JSON.stringify(news));
  }

  /** @returns {{seq: number}[]} the oldest news that are not told yet */
  untold(limit) {
    if (!this.hasTables) return [];
    const rows = this.sql.exec("SELECT seq, body FROM outbox ORDER BY seq LIMIT ?", limit).toArray();
    return rows.map(({ seq, body }) => ({ seq, ...JSON.parse(body) }));
  }

  hasNews() {
    return this.untold(1).length > 0;
  }

  /** Forget the news up to a number: somebody else keeps them now. */
  told(upTo) {
    this.sql.exec("DELETE FROM outbox WHERE seq <= ?", upTo);
  }

  /** What others may know of the container. */
  view(facts) {
    const { incarnation, run, closed, revision, fingerprint, application, phase, ports, begun_at, started_at, ready_at, end, problem } = this.record;
    const shown = { incarnation, run: Math.max(run, closed), revision, fingerprint, application, phase, ports, begun_at, started_at, ready_at, end, problem };
    return { name: this.record.name, ...shown, ...facts };
  }
}
