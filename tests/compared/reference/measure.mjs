#!/usr/bin/env node
/*
 * Measure the reference library on real containers; one line of JSON says what came out.
 *
 *   node measure.mjs --work DIR --socket unix:PATH --image NAME --sidecar NAME
 *                    [--n 20] [--runs 1] [--healthy 15] [--miniflare VERSION]
 *                    [--entrypoint WORDS] [--deaf WORDS] [--date COMPATIBILITY]
 *   node measure.mjs --work DIR --install [--npm SCRIPT]
 *
 * It installs what it needs into DIR (once; --install does no more than that), bundles
 * worker.js with the library, and runs it in workerd, whose containers the Docker daemon
 * at PATH runs. Each run begins with a runtime and a fleet of its own, and removes its
 * containers. What it says meanwhile goes to standard error.
 *
 *   cold      from the call of reconcile() until every container has answered HTTP 200
 *   healthy   a reconcile() of the same fleet, timed within workerd, from call to return
 *   over HTTP the same, timed out here: a request to the Worker, and its answer
 *
 * WORDS, split at spaces, are what a container is started with instead of the image's own
 * command. With --deaf the first container of the fleet is one that never listens: it is
 * not waited for, and what becomes of it is told.
 *
 * The runtime matters. Where the first look at a port fails at once although the container
 * is on its way (miniflare 4.20260310.0, which needs no sidecar), the library loses its
 * whole wait interval of a second on each container; in 4.20260426.0 that look waits.
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const LIBRARY = "@jonbeckman/cf-container-orchestrator";
const PINNED = {
  [LIBRARY]: "1.0.0",
  "@cloudflare/containers": "0.1.1",
  effect: "3.22.4",
  esbuild: "0.27.3",
};
/** Before it, containers would share the machine's PID namespace without a flag. */
const COMPATIBILITY_DATE = "2026-04-01";

const HERE = path.dirname(fileURLToPath(import.meta.url));

const options = read(process.argv.slice(2));
const wanted = { ...PINNED, miniflare: options.miniflare };
const require = createRequire(path.join(options.work, "package.json"));

function read(words) {
  const text = { type: "string" };
  const known = {
    work: text,
    socket: text,
    image: text,
    sidecar: text,
    n: { ...text, default: "20" },
    runs: { ...text, default: "1" },
    healthy: { ...text, default: "15" },
    entrypoint: { ...text, default: "" },
    deaf: { ...text, default: "" },
    install: { type: "boolean", default: false },
    npm: { ...text, default: "" },
    miniflare: { ...text, default: "4.20260426.0" },
    date: { ...text, default: COMPATIBILITY_DATE },
  };
  let values;
  try {
    ({ values } = parseArgs({ args: words, options: known }));
  } catch (error) {
    fail(error.message);
  }
  for (const key of values.install ? ["work"] : ["work", "socket", "image", "sidecar"]) {
    if (!values[key]) fail(`--${key} is needed`);
  }
  if (values.install) return { ...values, work: path.resolve(values.work) };
  if (!values.socket.startsWith("unix:")) fail("--socket: expected unix:PATH");
  for (const key of ["n", "runs", "healthy"]) {
    if (!/^[1-9]\d{0,3}$/.test(values[key])) fail(`--${key}: expected a number above 0`);
    values[key] = Number(values[key]);
  }
  for (const key of ["entrypoint", "deaf"]) {
    values[key] = values[key].split(" ").filter((word) => word !== "");
  }
  return { ...values, work: path.resolve(values.work) };
}

function fail(message) {
  process.stderr.write(`measure: ${message}\n`);
  process.exit(2);
}

function tell(message) {
  process.stderr.write(`${message}\n`);
}

// What is installed

function installed(name) {
  const file = path.join(options.work, "node_modules", name, "package.json");
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : null;
}

function install() {
  if (Object.entries(wanted).every(([name, version]) => installed(name) === version)) return;
  tell("installing the reference library, its runtime and a bundler");
  mkdirSync(options.work, { recursive: true });
  const project = { private: true, type: "module", dependencies: wanted };
  writeFileSync(path.join(options.work, "package.json"), JSON.stringify(project, null, 2));
  writeFileSync(path.join(options.work, ".gitignore"), "*\n"); // a cache, no source
  const words = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"];
  const [npm, ...first] = options.npm ? [process.execPath, options.npm] : ["npm"];
  execFileSync(npm, [...first, ...words], { cwd: options.work, stdio: ["ignore", 2, 2] });
  for (const [name, version] of Object.entries(wanted)) {
    const found = installed(name);
    if (found !== version) throw new Error(`${name}: wanted ${version}, found ${found}`);
  }
}

async function bundle() {
  const { outputFiles } = await require("esbuild").build({
    stdin: {
      contents: readFileSync(path.join(HERE, "worker.js"), "utf8"),
      resolveDir: options.work,
      sourcefile: "worker.js",
    },
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    define: {
      FLEET_SIZE: String(options.n),
      ENTRYPOINT: JSON.stringify(options.entrypoint),
      DEAF: JSON.stringify(options.deaf),
    },
    logLevel: "warning",
  });
  return outputFiles[0].text;
}

// What Docker runs

function docker(method, target) {
  const socketPath = options.socket.slice("unix:".length).replace(/^\/\//, "");
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method, path: target }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => {
        const body = Buffer.concat(parts).toString();
        resolve({ status: response.statusCode, body });
      });
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end();
  });
}

/** The library tries for minutes to start what cannot be started. */
async function haveImages() {
  for (const name of [options.image, options.sidecar]) {
    const { status, body } = await docker("GET", `/images/${name}/json`);
    if (status !== 200) fail(`${name}: ${JSON.parse(body).message}`);
  }
}

/** Remove the containers of one run, known by the name that they all begin with. */
async function sweep(name) {
  const filters = encodeURIComponent(JSON.stringify({ name: [`^/workerd-${name}-`] }));
  const { body } = await docker("GET", `/containers/json?all=1&filters=${filters}`);
  const all = JSON.parse(body);
  await Promise.all(all.map(({ Id }) => docker("DELETE", `/containers/${Id}?force=1&v=1`)));
  return all.length;
}

// One run

async function run(contents, number) {
  const { Miniflare } = require("miniflare");
  const name = `reference${process.pid}r${number}`;
  const runtime = new Miniflare({
    name,
    modules: [{ type: "ESModule", path: "worker.js", contents }],
    compatibilityDate: options.date,
    compatibilityFlags: options.date < COMPATIBILITY_DATE ? ["containers_pid_namespace"] : [],
    containerEngine: {
      localDocker: {
        socketPath: options.socket,
        containerEgressInterceptorImage: options.sidecar,
      },
    },
    durableObjects: {
      CONTAINER_OPERATOR: { className: "Fleet", useSQLite: true },
      MANAGED_CONTAINER: {
        className: "Unit",
        useSQLite: true,
        container: { imageName: options.image },
      },
    },
    handleRuntimeStdio: (out, err) => [out, err].forEach((stream) => stream.resume()),
  });
  const ask = async (target) => {
    const response = await runtime.dispatchFetch(`http://reference${target}`);
    if (!response.ok) throw new Error(`${target}: ${await response.text()}`);
    return response.json();
  };
  let ending; // by a signal or by itself, but once
  const end = () => (ending ??= letGo());
  async function letGo() {
    await runtime.dispose().catch((error) => tell(`the runtime: ${error.message}`));
    tell(`run ${number}: removed ${await sweep(name)} containers`);
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.removeAllListeners(signal); // the runtime's own would leave at once
    process.once(signal, () => end().finally(() => process.exit(130)));
  }
  try {
    await ask("/");
    const cold = await ask("/cold");
    if (cold.ready_ms.includes(null)) throw new Error(`not all answered: ${cold.ready_ms}`);
    const statuses = await ask("/statuses");
    const others = statuses.slice(statuses.length - cold.ready_ms.length);
    if (statuses.length !== options.n || others.some((it) => it !== "healthy")) {
      throw new Error(`not all are healthy: ${statuses}`);
    }
    const cold_ms = Math.max(...cold.ready_ms);
    tell(`run ${number}: cold ${cold_ms} ms, ready at ${cold.ready_ms.join(" ")}`);
    if (options.deaf.length > 0) return { cold_ms, ...cold, statuses };
    const healthy_ms = await ask(`/healthy?times=${options.healthy}`);
    const over_http_ms = [];
    for (let time = 0; time < options.healthy; time++) {
      const began = performance.now();
      await ask("/reconcile");
      over_http_ms.push(performance.now() - began);
    }
    return { cold_ms, ...cold, healthy_ms, over_http_ms };
  } finally {
    await end();
  }
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function summary(numbers) {
  if (numbers.length === 0) return null;
  return { median: median(numbers), max: Math.max(...numbers) };
}

install();
if (options.install) process.exit(0);
await haveImages();
const contents = await bundle();
const runs = [];
for (let number = 1; number <= options.runs; number++) runs.push(await run(contents, number));
const line = {
  library: LIBRARY,
  version: installed(LIBRARY),
  n: options.n,
  cold_ms: median(runs.map((each) => each.cold_ms)),
  healthy_reconcile_ms: summary(runs.flatMap((each) => each.healthy_ms ?? [])),
  healthy_over_http_ms: summary(runs.flatMap((each) => each.over_http_ms ?? [])),
  runs,
  installed: wanted,
};
process.stdout.write(`${JSON.stringify(line)}\n`);
process.exit(0);
