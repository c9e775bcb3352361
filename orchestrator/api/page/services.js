// The services as the page knows them, with their newest rollouts, kept true by the
// stream: a row that concerns one has both read again, at most every MIN_MS, and less
// often where an answer takes long. Who is away reads them when the list comes again.
//
// Exports (stable):
//   onServices(fn) -> off     fn(list, as_of) at once where they are known, and whenever
//                             they were read; as_of: when they were asked for, by
//                             performance.now(); read for as long as anybody listens
//                             An entry is {service, rollout}; rollout: null, where
//                             there was none
//   servicesAt(at, signal)    such a list as it was after a row
//   readAgain()               somebody knows that something has changed

import { get } from "./api.js";
import * as store from "./store.js";

const MIN_MS = 300;
const AGAIN_MS = 2_000;
const SLOWNESS = 4;
const OWN = new Set([
  "booted",
  "spec_applied",
  "time_reached",
  "load_observed",
  "scale_requested",
  "adopt_requested",
  "rollout_requested",
  "service_rolled",
]);

const listeners = new Set();
let list = null;
let asOf = 0;
let names = new Set();
let timer = 0;
// Containers that changed while an answer was on its way.
const meanwhile = new Set();
let isAsking = false;
let isDue = false;
let notBefore = 0;
let offs = [];

export function onServices(fn) {
  listeners.add(fn);
  if (listeners.size === 1) begin();
  if (list !== null) fn(list, asOf);
  return () => {
    listeners.delete(fn);
    if (listeners.size === 0) end();
  };
}

export async function servicesAt(at, signal = undefined) {
  const paths = ["/v1/services", "/v1/rollouts"];
  const [services, rollouts] = await Promise.all(paths.map((path) => get(path, { at }, signal)));
  const byName = new Map(rollouts.body.map((rollout) => [rollout.service, rollout]));
  return services.body.map((service) => ({ service, rollout: byName.get(service.name) ?? null }));
}

function begin() {
  offs = [
    store.onRow((row) => concerns(row) && readAgain()),
    store.subscribe(({ whole }) => whole && readAgain()),
  ];
  if (store.loaded()) readAgain();
}

function end() {
  for (const off of offs) off();
  clearTimeout(timer);
  timer = 0;
}

function concerns({ event, containers, gone }) {
  const touched = [...(containers ?? []).map(({ name }) => name), ...(gone ?? [])];
  // Whose replicas these are, the answer that is on its way may be the first to tell.
  if (isAsking) for (const name of touched) meanwhile.add(name);
  return OWN.has(event.type) || touched.some((name) => names.has(name));
}

export function readAgain() {
  isDue = true;
  if (timer !== 0 || isAsking || listeners.size === 0) return;
  timer = setTimeout(read, Math.max(0, notBefore - performance.now()));
}

async function read() {
  timer = 0;
  isDue = false;
  isAsking = true;
  meanwhile.clear();
  const began = performance.now();
  let wait = MIN_MS;
  try {
    taken(await servicesAt(null), began);
    if ([...meanwhile].some((name) => names.has(name))) isDue = true;
  } catch {
    // That nobody answers is told by the frame; what is shown stays, and is tried again.
    isDue = true;
    wait = AGAIN_MS;
  }
  isAsking = false;
  notBefore = performance.now() + Math.max(wait, SLOWNESS * (performance.now() - began));
  if (isDue) readAgain();
}

// All are told although nothing may have changed: some wait for an answer that is new.
// What they draw is written only where it differs.
function taken(fresh, began) {
  list = fresh;
  asOf = began;
  names = new Set(list.flatMap(({ service }) => [...service.members, ...service.leaving]));
  for (const fn of listeners) fn(list, asOf);
}
