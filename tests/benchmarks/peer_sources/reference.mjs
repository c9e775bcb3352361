// The reference library's own lifecycle service, driven as any peer:
// `node reference.mjs PACKAGES TOLD`: the folder it is installed in, and the trace.
//
// Reads `check CASE` or `time CASE` a line, and answers with what became of each
// container, or with nanoseconds of the processor and how many events they were for.
// Its clock is that of the trace, and what it logs goes nowhere.

import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import readline from "node:readline";

const [, , packages, file] = process.argv;
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const require = createRequire(path.join(packages, "package.json"));

/** Bundle the library for Node, where the runtime's own modules are not. */
async function loaded() {
  const empty = "export class DurableObject {}; export class WorkerEntrypoint {}; export const env = {};";
  const runtime = {
    name: "runtime",
    setup(build) {
      build.onResolve({ filter: /^cloudflare:/ }, ({ path: name }) => ({ path: name, namespace: "runtime" }));
      build.onLoad({ filter: /.*/, namespace: "runtime" }, () => ({ contents: empty }));
    },
  };
  const contents = `
    export { makeContainerService, makeLifecycleService } from "@jonbeckman/cf-container-orchestrator";
    export { Effect } from "effect";`;
  const { outputFiles } = await require("esbuild").build({
    stdin: { contents, resolveDir: packages },
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "es2022",
    plugins: [runtime],
    logLevel: "error",
  });
  const place = path.join(packages, `lifecycle-${process.pid}.mjs`);
  fs.writeFileSync(place, outputFiles[0].text);
  try {
    return await import(place);
  } finally {
    fs.rmSync(place);
  }
}

const { makeContainerService, makeLifecycleService, Effect } = await loaded();
const { declared, life } = JSON.parse(fs.readFileSync(file, "utf8"));

let now = 0;
Date.now = () => now;
for (const level of ["log", "warn", "error"]) console[level] = () => {};

/** What is done with the whole fleet at each event: nothing, or what its save does. */
const SAVES = {
  nothing: () => {},
  array: (containers) => Array.from(containers),
  clone: (containers) => structuredClone(Array.from(containers)),
};

/** A fleet that nothing has happened to. */
function fleet() {
  const containers = new Map();
  for (const { name, policy } of declared) {
    containers.set(name, {
      name,
      config: {},
      restartPolicy: policy,
      desiredState: "running",
      updatedAt: 0,
      stopHistory: [],
      isMinReplicaSet: true,
    });
  }
  const found = { containers, phases: new Map(declared.map(({ name }) => [name, "to start"])), save: SAVES.nothing };
  const saveContainers = async () => {
    found.save(containers);
  };
  const containerService = makeContainerService({ containerNamespace: {}, env: {}, config: { minReplicaSet: [] }, containers, saveContainers });
  const scheduleRestart = (record) => found.phases.set(record.name, "to start");
  found.containerService = containerService;
  found.lifecycleService = makeLifecycleService({ containerService, containers, saveContainers, scheduleRestart });
  return found;
}

/** What is told beside an event before it: a field that the owner's calls write. */
function before({ containers, phases }, { name, type, wanted }) {
  if (type !== "started") phases.set(name, "rests");
  else if (wanted !== undefined) containers.get(name).desiredState = wanted ? "running" : "stopped";
}

/** What has become of a container, and what its owner does then. */
function after({ containers, phases, containerService }, { name, type, wanted, runs, begins }) {
  const record = containers.get(name);
  const ends = type !== "started";
  const rests = phases.get(name) === "rests";
  if (ends && rests && record.desiredState === "running" && containerService.isCrashLooping(record)) {
    phases.set(name, "is held");
  }
  if (ends && wanted !== undefined) {
    record.desiredState = wanted ? "running" : "stopped";
    if (wanted) phases.set(name, "to start");
  }
  if (runs) phases.set(name, "runs");
  if (begins) phases.set(name, "to start");
  if (wanted === false && phases.get(name) !== "runs") phases.set(name, "rests");
}

/** The effect of one event of the trace; the clock is the trace's. */
function* told(it, entry) {
  now = entry.at;
  const { name, type, exitCode, reason, error } = entry;
  if (name === undefined) return;
  before(it, entry);
  if (entry.forgets) yield* it.containerService.clearCrashHistory(name);
  yield* it.lifecycleService.handleEvent({ type, containerName: name, timestamp: now, error, exitCode, reason });
  after(it, entry);
}

/** All events in one effect, the least that they can cost; or an effect for each, as its object runs them. */
const WAYS = {
  together: (it, entries) =>
    Effect.runPromise(
      Effect.gen(function* () {
        for (const entry of entries) yield* told(it, entry);
      }),
    ),
  each: async (it, entries) => {
    for (const entry of entries) await Effect.runPromise(Effect.gen(() => told(it, entry)));
  },
};

const CASES = {
  "reference, no save": ["together", "nothing", Infinity],
  "reference, a call each, no save": ["each", "nothing", Infinity],
  // A whole fleet is written at each event: of those, so many as take seconds.
  "reference, array of the map": ["each", "array", 1e7],
  "reference, clone of the map": ["each", "clone", 3e5],
};

async function run(what, name) {
  const [way, save, most] = CASES[name];
  const it = fleet();
  const timed = what === "check" ? life.length : Math.min(life.length, Math.ceil(most / declared.length));
  const first = life.length - timed;
  await WAYS.together(it, life.slice(0, first));
  it.save = SAVES[what === "check" ? "nothing" : save];
  const rest = life.slice(first);
  globalThis.gc?.();
  const begun = process.cpuUsage();
  await WAYS[way](it, rest);
  const { user, system } = process.cpuUsage(begun);
  return what === "check" ? Object.fromEntries(it.phases) : [(user + system) * 1000, timed];
}

say(Object.keys(CASES));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const [what, ...name] = line.trim().split(" ");
  say(await run(what, name.join(" ")));
}
