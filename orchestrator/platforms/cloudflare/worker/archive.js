// The journal of a fleet: its rows, and what they begin behind.
//
// A row is kept as the very line of an export that it is, in parts: a value in a Durable
// Object holds 2 MB. What it says is never read here. Whether its digest fits is checked
// by who reads it, against the chain.
//
// All of it is synchronous SQL, so that who calls can ask first and write then, in one turn.

import { PART_MAX } from "./bounds.js";
import { joined, refuse } from "./http.js";
import { Snapshots, told } from "./snapshots.js";

/** Bytes of rows in one answer, unless it is a single one. */
const PAGE_MAX = 4_194_304;

/** Rows that are deleted in one go, once nobody sees them any more. */
const ROWS_AT_ONCE = 1_000;

/**
 * Bytes in the storage of an object beyond which no rows are taken, and no parts of
 * snapshots. The platform ends at 10 GB: what is left is for orders and news, so that a
 * full journal keeps nobody from stopping a fleet, and for the snapshot that rows can
 * begin behind, so that it can be compacted.
 */
const FULL_SIZES = [9_500_000_000, 9_900_000_000];

/** What the first row is chained to. */
const GENESIS = "0".repeat(64);

const LINE_END = new Uint8Array([10]);

const TABLES = [
  // total: the bytes of all lines up to this one, so that a sum needs no scan
  `CREATE TABLE IF NOT EXISTS journal_rows (
     seq INTEGER PRIMARY KEY, digest TEXT NOT NULL, size INTEGER NOT NULL,
     total INTEGER NOT NULL, body BLOB NOT NULL)`,
  // what of a row is beyond its first part
  `CREATE TABLE IF NOT EXISTS journal_parts (
     seq INTEGER NOT NULL, part INTEGER NOT NULL, body BLOB NOT NULL,
     PRIMARY KEY (seq, part)) WITHOUT ROWID`,
];

export class Archive {
  constructor(storage) {
    this.storage = storage;
    this.sql = storage.sql;
    for (const table of TABLES) this.sql.exec(table);
    this.snapshots = new Snapshots(this.sql);
    this.shared = null;
  }

  /** Do all of a change, or nothing: what throws leaves no trace. */
  changed(change) {
    this.shared = null;
    return this.storage.transactionSync(() => {
      this.tidy();
      return change();
    });
  }

  all(query, ...values) {
    return this.sql.exec(query, ...values).toArray();
  }

  /** The last row; before the first one, what the journal begins behind. */
  head() {
    const { seq, digest } = this.end();
    return { seq, digest };
  }

  end() {
    const [row] = this.all("SELECT seq, digest, total FROM journal_rows ORDER BY seq DESC LIMIT 1");
    return row ?? this.start();
  }

  start() {
    return this.snapshots.base() ?? { seq: 0, digest: GENESIS, total: 0 };
  }

  /** What there is of the journal. */
  overview() {
    const end = this.end();
    const start = this.start();
    const base = this.snapshots.base();
    return {
      head: this.head(),
      base: base ? told(base) : null,
      snapshots: this.snapshots.agreeing().map(told),
      rows: end.seq - start.seq,
      bytes: end.total - start.total,
    };
  }

  // Rows

  /** Append rows behind a head, all or none; those that are there already are there. */
  append({ expect, rows }) {
    const end = this.end();
    if (end.seq !== expect.seq || end.digest !== expect.digest) {
      if (this.has(rows, end)) return { head: this.head() };
      return conflict(expect.seq, end);
    }
    if (this.isFull(0)) return full();
    let { total } = end;
    for (const row of rows) {
      total += row.body.byteLength + LINE_END.byteLength;
      this.insert(row, total);
    }
    return { head: this.head() };
  }

  /** Whether these are the last rows: they came before, and the answer was lost. */
  has(rows, end) {
    if (rows.at(-1)?.seq !== end.seq || rows.at(-1).digest !== end.digest) return false;
    const there = this.all("SELECT seq, digest FROM journal_rows WHERE seq >= ?", rows[0].seq);
    const known = new Map(there.map(({ seq, digest }) => [seq, digest]));
    // Those before the base are gone: the digest of the last one covers them, too.
    return rows.every(({ seq, digest }) => (known.get(seq) ?? digest) === digest);
  }

  insert({ seq, digest, body }, total) {
    this.all("INSERT INTO journal_rows VALUES (?, ?, ?, ?, ?)", seq, digest, body.byteLength, total, body.slice(0, PART_MAX));
    for (let part = 1; part * PART_MAX < body.byteLength; part += 1) {
      const more = body.slice(part * PART_MAX, (part + 1) * PART_MAX);
      this.all("INSERT INTO journal_parts VALUES (?, ?, ?)", seq, part, more);
    }
  }

  /** Rows after a number as lines; all that are woken at once for the same share one page. */
  page(after, limit) {
    const asked = `${after} ${limit}`;
    if (this.shared?.asked !== asked) {
      const shared = { asked, page: this.read(after, limit) };
      this.shared = shared;
      setTimeout(() => {
        if (this.shared === shared) this.shared = null;
      }, 0);
    }
    return this.shared.page;
  }

  /** Read rows after a number: at least one, where there is one. */
  read(after, limit) {
    const { seq: base } = this.start();
    if (after < base) return refuse(409, "journal_compacted", "these rows were compacted away", { asked: after, base });
    const sizes = this.all("SELECT seq, size FROM journal_rows WHERE seq > ? ORDER BY seq LIMIT ?", after, limit);
    let bytes = 0;
    const fit = sizes.filter(({ size }, at) => (bytes += size + LINE_END.byteLength) <= PAGE_MAX || at === 0);
    const upTo = fit.at(-1)?.seq ?? after;
    const rows = this.all("SELECT seq, size, body FROM journal_rows WHERE seq > ? AND seq <= ? ORDER BY seq", after, upTo);
    const lines = rows.flatMap((row) => [new Uint8Array(row.body), ...this.rest(row), LINE_END]);
    return { count: rows.length, last: upTo, lines: joined(lines) };
  }

  rest({ seq, size }) {
    if (size <= PART_MAX) return [];
    const parts = this.all("SELECT body FROM journal_parts WHERE seq = ? ORDER BY part", seq);
    return parts.map(({ body }) => new Uint8Array(body));
  }

  // Snapshots, and the base

  /** Take a part of a snapshot in. */
  stage(part, now) {
    return this.isFull(1) ? full() : this.snapshots.stage(part, now);
  }

  /** Make a snapshot of its parts. */
  keep(facts) {
    return this.snapshots.keep(facts);
  }

  /**
   * Let the rows begin behind a snapshot: those up to its row are seen by nobody any more.
   *
   * On an empty journal any snapshot will do: it is what an imported one begins behind.
   */
  begin({ seq }) {
    const end = this.end();
    const [row] = this.all("SELECT seq, digest, total FROM journal_rows WHERE seq = ? AND seq > ?", seq, this.start().seq);
    const isEmpty = end.seq === 0 && seq > 0;
    if (!isEmpty && (row === undefined || seq === end.seq)) return conflict(seq, end);
    const kept = this.snapshots.find("kept", seq);
    if (!kept) return refuse(404, "not_found", "no snapshot of that row is kept");
    if (!isEmpty && kept.digest !== row.digest) return conflict(seq, row);
    this.snapshots.begin(seq, isEmpty ? 0 : row.total);
    return {};
  }

  // The end

  /**
   * Let the journal end with a row: all behind it go at once, and the snapshots of them.
   *
   * What is behind a damage is of no use, and nothing can be appended to it. Who asks has
   * seen the journal end where it is expected to; said once more, it is done already.
   */
  endWith({ seq, digest, expect }) {
    const end = this.end();
    if (end.seq === seq && end.digest === digest) return { head: this.head() };
    if (end.seq !== expect.seq || end.digest !== expect.digest) return conflict(expect.seq, end);
    const start = this.start();
    const [row] = seq > start.seq ? this.all("SELECT seq, digest FROM journal_rows WHERE seq = ?", seq) : [start];
    if (row?.seq !== seq || row.digest !== digest) return conflict(seq, end);
    this.all("DELETE FROM journal_rows WHERE seq > ?", seq);
    this.all("DELETE FROM journal_parts WHERE seq > ?", seq);
    this.snapshots.endWith(seq);
    return { head: this.head() };
  }

  /** Delete some of what nobody sees any more; the next call goes on. */
  tidy() {
    this.snapshots.tidy();
    const [{ first }] = this.all("SELECT MIN(seq) AS first FROM journal_rows");
    const base = this.start().seq;
    if (first === null || first > base) return;
    const upTo = Math.min(base, first + ROWS_AT_ONCE - 1);
    this.all("DELETE FROM journal_rows WHERE seq <= ?", upTo);
    this.all("DELETE FROM journal_parts WHERE seq <= ?", upTo);
  }

  isFull(place) {
    return this.bytesStored() > FULL_SIZES[place];
  }

  bytesStored() {
    return this.sql.databaseSize;
  }
}

/** @returns {boolean} whether an error says that the storage is full, wherever it was thrown */
export function isFullError(error) {
  return /SQLITE_FULL/.test(String(error?.message));
}

/** @returns {{refused: object}} that nothing was written, for there is no room */
export function full() {
  return refuse(507, "journal_full", "the storage of the fleet's registry is full; nothing was written");
}

function conflict(expected, { seq, digest }) {
  return refuse(409, "journal_conflict", "the journal is not as it was expected", { expected_seq: expected, found_seq: seq, digest });
}
