#!/usr/bin/env node
/*
 * Bundle a Worker with the reference library into one module.
 *
 *   node bundle.mjs --work DIR --entry FILE --out FILE
 *
 * What measure.mjs has installed into DIR is used.
 */

import { createRequire } from "node:module";
import path from "node:path";
import { parseArgs } from "node:util";

const text = { type: "string" };
const { values: options } = parseArgs({ options: { work: text, entry: text, out: text } });
const work = path.resolve(options.work);

await createRequire(path.join(work, "package.json"))("esbuild").build({
  entryPoints: [options.entry],
  outfile: options.out,
  nodePaths: [path.join(work, "node_modules")],
  bundle: true,
  format: "esm",
  target: "es2022",
  conditions: ["workerd", "worker", "browser"],
  external: ["cloudflare:*", "node:*"],
  logLevel: "error",
});
