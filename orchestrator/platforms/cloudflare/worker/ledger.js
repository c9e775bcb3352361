// What the registry of a fleet remembers: who its containers are, what they last said,
// the merged feed of their news, and which operator may give orders.

import { isSamePlace } from "./objects.js";

/** News that nobody has acknowledged are kept up to this number, the newest ones. */
const FEED_MAX = 100_000;

const CLOCK = ',"now":';

const TABLES = [
  "CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
  `CREATE TABLE IF NOT EXISTS containers (
     name TEXT PRIMARY KEY, binding TEXT NOT NULL, jurisdiction TEXT, hint TEXT,
     run INTEGER NOT NULL, closed INTEGER NOT NULL DEFAULT 0,
     leaving TEXT NOT NULL DEFAULT '[]',
     incarnation TEXT NOT NULL DEFAULT '', heard INTEGER NOT NULL DEFAULT 0, view TEXT)`,
  "CREATE TABLE IF NOT EXISTS floors (name TEXT PRIMARY KEY, run INTEGER NOT NULL, at INTEGER NOT NULL)",
  "CREATE TABLE IF NOT EXISTS feed (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)",
];

export class Ledger {
  constructor(sql) {
    this.sql = sql;
    for (const table of TABLES) sql.exec(table);
    if (this.fact("generation") === undefined) this.setFact("generation", crypto.randomUUID());
  }

  rows(query, ...values) {
    return this.sql.exec(query, ...values).toArray();
  }

  fact(key) {
    const [row] = this.rows("SELECT value FROM facts WHERE key = ?", key);
    return row && JSON.parse(row.value);
  }

  setFact(key, value) {
    this.rows("INSERT INTO facts VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, JSON.stringify(value));
  }

  // Containers

  find(name) {
    return this.rows("SELECT * FROM containers WHERE name = ?", name)[0];
  }

  all() {
    return this.rows("SELECT * FROM containers ORDER BY name");
  }

  /** So many containers behind a name, and the name to go on behind; null: there are no more. */
  page({ after, limit }) {
    const rows = this.rows("SELECT * FROM containers WHERE name > ? ORDER BY name LIMIT ?", after, limit + 1);
    const isLast = rows.length <= limit;
    return { rows: rows.slice(0, limit), next: isLast ? null : rows[limit - 1].name };
  }

  /** The lowest run that a name may still begin with, less one. */
  floor(name) {
    const row = this.find(name);
    const [floor] = this.rows("SELECT run FROM floors WHERE name = ?", name);
    return Math.max(row?.run ?? 0, row?.closed ?? 0, floor?.run ?? 0);
  }

  enrol(name, { binding, jurisdiction, hint, run, leaving }) {
    this.rows(
      `INSERT INTO containers (name, binding, jurisdiction, hint, run, leaving) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET binding = excluded.binding, jurisdiction = excluded.jurisdiction,
         hint = excluded.hint, run = MAX(run, excluded.run), leaving = excluded.leaving`,
      name, binding, jurisdiction ?? null, hint ?? null, run, JSON.stringify(leaving),
    );
  }

  /** The places where a container may still run that is to run elsewhere. */
  leaving(name) {
    return JSON.parse(this.find(name)?.leaving ?? "[]");
  }

  /** It has left one of them. */
  left(name, place) {
    const still = this.leaving(name).filter((one) => !isSamePlace(one, place));
    this.rows("UPDATE containers SET leaving = ? WHERE name = ?", JSON.stringify(still), name);
  }

  /** Take note that a run and all before it are over, also of a name unknown here. */
  close(name, run, now) {
    if (this.find(name)) this.rows("UPDATE containers SET closed = MAX(closed, ?) WHERE name = ?", run, name);
    else this.raise(name, run, now);
  }

  /** Forget a container; its runs stay refused. One that has a newer run is kept. */
  drop(name, run, now) {
    if (this.find(name)?.run > run) return; // admitted while the older one was forgotten
    this.raise(name, Math.max(run, this.floor(name)), now);
    this.rows("DELETE FROM containers WHERE name = ?", name);
  }

  raise(name, run, now) {
    this.rows(
      "INSERT INTO floors VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET run = MAX(run, excluded.run), at = excluded.at",
      name, run, now,
    );
  }

  /** Forget what no request can still be under way for. */
  sweep(before) {
    this.rows("DELETE FROM floors WHERE at < ?", before);
  }

  /** Keep what a container says of itself, unless it is about an older run, or nothing new. */
  keepView(name, view) {
    const row = this.find(name);
    if (!row || view.run < row.run || saysTheSame(row.view, view)) return;
    this.rows("UPDATE containers SET run = ?, view = ? WHERE name = ?", view.run, JSON.stringify(view), name);
  }

  /** Add news of a container to the feed, each once; say whether there were new ones. */
  hear(name, incarnation, news) {
    const row = this.find(name);
    const heard = row?.incarnation === incarnation ? row.heard : 0;
    const fresh = news.filter(({ seq }) => seq > heard);
    for (const { seq, ...event } of fresh) this.append({ ...event, name });
    if (row && fresh.length > 0) {
      this.rows("UPDATE containers SET incarnation = ?, heard = ? WHERE name = ?", incarnation, fresh.at(-1).seq, name);
    }
    return fresh.length > 0;
  }

  // The feed

  append(event) {
    this.rows("INSERT INTO feed (body) VALUES (?)", JSON.stringify(event));
    this.rows("DELETE FROM feed WHERE seq <= (SELECT MAX(seq) FROM feed) - ?", FEED_MAX);
  }

  after(seq, limit) {
    const rows = this.rows("SELECT seq, body FROM feed WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit);
    return rows.map((row) => ({ seq: row.seq, ...JSON.parse(row.body) }));
  }

  /** The place of the oldest news that are kept, and of the newest that ever were. */
  ends() {
    const [{ first, newest }] = this.rows("SELECT MIN(seq) AS first, MAX(seq) AS newest FROM feed");
    const last = newest ?? this.fact("acknowledged") ?? 0;
    return { first: first ?? last + 1, last };
  }

  acknowledge(upTo) {
    const seq = Math.min(upTo, this.ends().last);
    this.rows("DELETE FROM feed WHERE seq <= ?", seq);
    this.setFact("acknowledged", Math.max(seq, this.fact("acknowledged") ?? 0));
  }
}

/** Whether a container says what is kept of it already, its clock aside, which it says last. */
export function saysTheSame(kept, view) {
  const said = JSON.stringify(view);
  return kept !== null && kept.slice(0, kept.lastIndexOf(CLOCK)) === said.slice(0, said.lastIndexOf(CLOCK));
}
