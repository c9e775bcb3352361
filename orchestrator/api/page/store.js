// The fleet as the page knows it: one ContainerInfo a name, and the fleet's facts.
//
// Exports (stable):
//   get(name)          a ContainerInfo, or undefined
//   all()              every ContainerInfo, in no order
//   facts()            the answer of /v1/fleet, or null before the first one came
//   loaded()           whether the containers have come at least once
//   seq()              the newest row that the page has heard of
//   MOST               how many containers are held here at most
//   wide()             whether the fleet is too large to be held here (more than MOST):
//                      then get and all know only those in sight, and pinned ones
//   pin(name) -> off   have a container known here while it is changed, in sight or not
//   hold(infos)        those in sight of a wide fleet: all others are let go
//   subscribe(fn) -> off    fn({names, facts, whole}) once a frame, when something
//                      changed: names: Set of changed names; whole: all was replaced
//   onRow(fn) -> off   fn(row) for every row of the stream: {seq, at, event, ...}
//   put(infos), drop(names), replaceAll(infos, seq), beWide(seq), setFacts(facts), heard(seq),
//   row(message)       for stream.js alone
//
// Changes are gathered and told once a frame: a thousand events cost one rendering.

export const MOST = 5_000;

const containers = new Map();
const pinned = new Map();
const subscribers = new Set();
const rowListeners = new Set();
let fleet = null;
let complete = false;
let newest = null;
let isWide = false;
let changed = new Set();
let factsChanged = false;
let replaced = false;
let asked = false;

export function get(name) {
  return containers.get(name);
}

export function all() {
  return [...containers.values()];
}

export function facts() {
  return fleet;
}

export function loaded() {
  return complete;
}

export function seq() {
  return newest;
}

export function wide() {
  return isWide;
}

export function pin(name) {
  pinned.set(name, (pinned.get(name) ?? 0) + 1);
  return () => {
    const rest = pinned.get(name) - 1;
    if (rest > 0) pinned.set(name, rest);
    else pinned.delete(name);
  };
}

export function hold(infos) {
  const kept = [...pinned.keys()].map((name) => containers.get(name)).filter(Boolean);
  containers.clear();
  for (const info of [...kept, ...infos]) containers.set(info.name, info);
  for (const { name } of infos) changed.add(name);
  tell();
}

export function subscribe(fn) {
  subscribers.add(fn);
  return () => subscribers.delete(fn);
}

export function onRow(fn) {
  rowListeners.add(fn);
  return () => rowListeners.delete(fn);
}

export function put(infos) {
  for (const info of infos) {
    if (isWide && !containers.has(info.name) && !pinned.has(info.name)) continue;
    containers.set(info.name, info);
    changed.add(info.name);
  }
  if (changed.size) tell();
}

export function drop(names) {
  for (const name of names) {
    if (containers.delete(name) || pinned.has(name)) changed.add(name);
  }
  if (changed.size) tell();
}

export function replaceAll(infos, at) {
  isWide = false;
  containers.clear();
  for (const info of infos) containers.set(info.name, info);
  complete = true;
  replaced = true;
  newest = at;
  tell();
}

export function beWide(at) {
  if (!isWide) containers.clear();
  isWide = true;
  complete = true;
  replaced = true;
  newest = at;
  tell();
}

export function setFacts(next) {
  fleet = next;
  factsChanged = true;
  heard(next.seq);
  tell();
}

export function heard(number) {
  if (newest === null || number > newest) newest = number;
}

export function row(message) {
  heard(message.seq);
  for (const fn of rowListeners) fn(message);
}

function tell() {
  if (asked) return;
  asked = true;
  // A hidden page gets no frames: the changes wait in the set, one entry a name.
  requestAnimationFrame(() => {
    asked = false;
    const news = { names: changed, facts: factsChanged, whole: replaced };
    changed = new Set();
    factsChanged = false;
    replaced = false;
    for (const fn of subscribers) fn(news);
  });
}
