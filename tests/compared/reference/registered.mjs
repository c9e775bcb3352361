#!/usr/bin/env node
/*
 * Drive the reference library with a fleet of registered containers, in turns.
 *
 *   node registered.mjs --work DIR --miniflare VERSION --date DATE --n N
 *   node registered.mjs --work DIR --miniflare VERSION --date DATE --wall FROM,TO
 *
 * What measure.mjs has installed into DIR is used. With --n it says `{"up": N}` once every
 * container is healthy (`{"broke": WORDS}` where that fails), then reads a line a turn: `look TIMES` or `events TIMES`, and
 * answers with the milliseconds of each request over HTTP. With --wall it looks for the
 * largest fleet that its operator can keep, and says what is answered with one more.
 */

import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const text = { type: "string" };
const { values: options } = parseArgs({
  options: { work: text, miniflare: text, date: text, n: text, wall: text },
});
const require = createRequire(path.join(path.resolve(options.work), "package.json"));
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

async function bundle(size) {
  const { outputFiles } = await require("esbuild").build({
    entryPoints: [path.join(HERE, "registered_worker.js")],
    nodePaths: [path.join(path.resolve(options.work), "node_modules")],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    define: { FLEET_SIZE: String(size) },
    logLevel: "error",
  });
  return outputFiles[0].text;
}

/** Run a fleet of a size; *ask* gives the answer, or throws what it says. */
async function fleet(size) {
  const { Miniflare } = require("miniflare");
  const runtime = new Miniflare({
    name: `registered${process.pid}`,
    modules: [{ type: "ESModule", path: "worker.js", contents: await bundle(size) }],
    compatibilityDate: options.date,
    durableObjects: {
      CONTAINER_OPERATOR: { className: "Fleet", useSQLite: true },
      MANAGED_CONTAINER: { className: "Unit", useSQLite: true },
    },
    handleRuntimeStdio: (out, err) => [out, err].forEach((stream) => stream.resume()),
    cf: false,
  });
  const ask = async (target) => {
    const response = await runtime.dispatchFetch(`http://registered${target}`);
    const told = await response.json();
    if (!response.ok) throw new Error(told.error);
    return told;
  };
  return { runtime, ask };
}

async function timed(ask, target, times) {
  const taken = [];
  for (let time = 0; time < times; time++) {
    const began = performance.now();
    await ask(target);
    taken.push(performance.now() - began);
  }
  return taken;
}

/** What is in the way of a fleet: nothing once every container is healthy. */
async function brought(ask, size) {
  try {
    await ask("/reconcile");
    const well = (await ask("/statuses")).filter((status) => status === "healthy").length;
    return well === size ? null : `${well} of ${size} are healthy`;
  } catch (error) {
    return error.message;
  }
}

async function drive(size) {
  const { runtime, ask } = await fleet(size);
  try {
    const broke = await brought(ask, size);
    say(broke === null ? { up: size } : { broke });
    for await (const line of readline.createInterface({ input: process.stdin })) {
      const [what, times] = line.split(" ");
      if (what === "look") say(await timed(ask, "/reconcile", Number(times)));
      else say((await timed(ask, `/events?times=${times}`, 1)).map((ms) => ms / Number(times)));
    }
  } finally {
    await runtime.dispose();
  }
}

/** What is answered by an operator of a size: nothing if it works. */
async function refusal(size) {
  const { runtime, ask } = await fleet(size);
  try {
    await ask("/");
    return null;
  } catch (error) {
    return error.message;
  } finally {
    await runtime.dispose();
  }
}

async function wall([fits, fails]) {
  const first = await refusal(fits);
  if (first) throw new Error(`${fits} do not fit: ${first}`);
  let error = await refusal(fails);
  if (!error) throw new Error(`${fails} fit`);
  while (fails - fits > 1) {
    const middle = (fits + fails) >> 1;
    const told = await refusal(middle);
    if (told) [fails, error] = [middle, told];
    else fits = middle;
  }
  say({ fits, fails, error });
}

if (options.wall) await wall(options.wall.split(",").map(Number));
else await drive(Number(options.n));
process.exit(0);
