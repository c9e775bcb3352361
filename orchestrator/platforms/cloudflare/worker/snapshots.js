// Snapshots of a fleet, and the one that its journal begins behind: bodies in parts.
//
//   staged --all parts are there--> kept --rows begin behind it--> base
//      └──────── swept ───────────────┴──── thinned, replaced ──────┴──> gone
//
// What is gone is seen by nobody, and is deleted some parts at a time.

import { misplaced } from "./bounds.js";
import { refuse } from "./http.js";

/** Parts that nobody has made a snapshot of are kept for so long. */
const STAGED_MS = 3_600_000;

/** The newest snapshots are all kept: a damaged one falls back to the one before. */
const NEWEST_KEPT = 3;

/** Of the others one goes where its older neighbour is not so many times as far away. */
const REACH = 4;

/** Parts of what is gone that are deleted in one go. */
const PARTS_AT_ONCE = 64;

/** Numbers of parts that a refusal names. */
const TOLD_MAX = 100;

const TABLES = [
  `CREATE TABLE IF NOT EXISTS snapshots (
     id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, seq INTEGER NOT NULL,
     epoch INTEGER NOT NULL, at INTEGER NOT NULL, digest TEXT, rules INTEGER,
     size INTEGER, parts INTEGER, checksum TEXT, total INTEGER)`,
  `CREATE TABLE IF NOT EXISTS snapshot_parts (
     id INTEGER NOT NULL, part INTEGER NOT NULL, body BLOB NOT NULL,
     PRIMARY KEY (id, part)) WITHOUT ROWID`,
];

export class Snapshots {
  constructor(sql) {
    this.sql = sql;
    for (const table of TABLES) sql.exec(table);
  }

  all(query, ...values) {
    return this.sql.exec(query, ...values).toArray();
  }

  /** @returns the snapshot that the rows begin behind, if there is one */
  base() {
    return this.all("SELECT * FROM snapshots WHERE kind = 'base'")[0];
  }

  find(kind, seq) {
    return this.all("SELECT * FROM snapshots WHERE kind = ? AND seq = ?", kind, seq)[0];
  }

  /** The snapshots that agree with their rows, the oldest first: the others are of no use. */
  agreeing() {
    return this.all(
      `SELECT snapshots.* FROM snapshots JOIN journal_rows USING (seq, digest)
       WHERE kind = 'kept' AND seq > ? ORDER BY seq`,
      this.base()?.seq ?? 0,
    );
  }

  /** One part of a snapshot, or of the base. */
  part(seq, part) {
    const [found] = this.all(
      `SELECT body FROM snapshot_parts JOIN snapshots USING (id)
       WHERE kind IN ('base', 'kept') AND seq = ? AND part = ? ORDER BY kind LIMIT 1`,
      seq, part,
    );
    return found?.body;
  }

  /** Take a part in; parts of another epoch for the same row are not mixed with it. */
  stage({ epoch, seq, part, body }, now) {
    this.all("UPDATE snapshots SET kind = 'gone' WHERE kind = 'staged' AND ((seq = ? AND epoch <> ?) OR at < ?)", seq, epoch, now - STAGED_MS);
    const found = this.find("staged", seq);
    if (found) this.all("UPDATE snapshots SET at = ? WHERE id = ?", now, found.id);
    else this.all("INSERT INTO snapshots (kind, seq, epoch, at) VALUES ('staged', ?, ?, ?)", seq, epoch, now);
    const { id } = found ?? this.find("staged", seq);
    this.all("INSERT OR REPLACE INTO snapshot_parts VALUES (?, ?, ?)", id, part, body);
    return {};
  }

  /** Make a snapshot of what was staged; said once more, it is there already. */
  keep({ epoch, ...facts }) {
    const { seq, digest, rules, size, parts, checksum } = facts;
    const staged = this.find("staged", seq);
    const isOurs = staged?.epoch === epoch;
    const kept = this.find("kept", seq) ?? this.find("base", seq);
    if (!isOurs && kept && Object.entries(facts).every(([key, value]) => kept[key] === value)) return {};
    if (isOurs) this.all("DELETE FROM snapshot_parts WHERE id = ? AND part >= ?", staged.id, parts);
    const wrong = isOurs ? this.unfit(staged.id, facts) : missing(absent(parts, []));
    if (wrong) return wrong;
    this.drop("kept", seq);
    this.all(
      "UPDATE snapshots SET kind = 'kept', digest = ?, rules = ?, size = ?, parts = ?, checksum = ? WHERE id = ?",
      digest, rules, size, parts, checksum, staged.id,
    );
    this.thin(seq);
    return {};
  }

  /** Say why what was staged is not the snapshot that is told. */
  unfit(id, { size, parts }) {
    const there = this.all("SELECT part, LENGTH(body) AS bytes FROM snapshot_parts WHERE id = ?", id);
    const not = absent(parts, there.map(({ part }) => part));
    if (not.length > 0) return missing(not);
    const bytes = there.reduce((sum, part) => sum + part.bytes, 0);
    return bytes === size ? undefined : misplaced("size", "the bytes of all its parts");
  }

  /** Let some of the older ones go; the one just kept stays, for it may become the base. */
  thin(seq) {
    const stay = new Set([seq, ...kept(this.agreeing().map((one) => one.seq))]);
    for (const one of this.all("SELECT seq FROM snapshots WHERE kind = 'kept'")) {
      if (!stay.has(one.seq)) this.drop("kept", one.seq);
    }
  }

  drop(kind, seq) {
    this.all("UPDATE snapshots SET kind = 'gone' WHERE kind = ? AND seq = ?", kind, seq);
  }

  /** Let the rows begin behind one; all before it go, and the base that was. */
  begin(seq, total) {
    this.all("UPDATE snapshots SET kind = 'gone' WHERE kind = 'base' OR (kind = 'kept' AND seq < ?)", seq);
    this.all("UPDATE snapshots SET kind = 'base', total = ? WHERE kind = 'kept' AND seq = ?", total, seq);
  }

  /** Let all go that were taken after a row, also those that are not whole yet. */
  endWith(seq) {
    this.all("UPDATE snapshots SET kind = 'gone' WHERE kind IN ('kept', 'staged') AND seq > ?", seq);
  }

  /** Delete some of what is gone. */
  tidy() {
    const [gone] = this.all("SELECT id FROM snapshots WHERE kind = 'gone' LIMIT 1");
    if (!gone) return;
    this.all(
      "DELETE FROM snapshot_parts WHERE id = ?1 AND part IN (SELECT part FROM snapshot_parts WHERE id = ?1 LIMIT ?2)",
      gone.id, PARTS_AT_ONCE,
    );
    this.all("DELETE FROM snapshots WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM snapshot_parts WHERE id = ?1)", gone.id);
  }
}

/** @returns a snapshot as it is told */
export function told({ seq, digest, rules, size, parts, checksum }) {
  return { seq, digest, rules, size, parts, checksum };
}

/**
 * Say which snapshots are kept: the newest ones, and ever fewer the older they are, so
 * that about one is left for each doubling of the distance from the end.
 *
 * @param {number[]} seqs the rows that they were taken after, in order
 */
export function kept(seqs) {
  const old = seqs.slice(0, -NEWEST_KEPT);
  const found = old.slice(0, 1);
  const last = seqs.at(-1);
  for (const [at, seq] of old.entries()) {
    if (at > 0 && last - found.at(-1) > REACH * (last - seqs[at + 1])) found.push(seq);
  }
  return [...found, ...seqs.slice(-NEWEST_KEPT)];
}

function absent(parts, there) {
  const found = new Set(there);
  return Array.from({ length: parts }, (_, part) => part).filter((part) => !found.has(part));
}

function missing(parts) {
  return refuse(409, "parts_missing", "not all parts of the snapshot are there", { missing: parts.slice(0, TOLD_MAX) });
}
