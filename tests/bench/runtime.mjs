// Runs a Worker on Cloudflare's own runtime: `node runtime.mjs CONFIG_FILE`.
//
// Says {"port": N} on a line of its own once the Worker answers there, and disposes of
// everything when its standard input closes. The listening socket comes from outside:
// the runtime itself lives in the namespaces of the engine, the tests do not.

import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";

/** The engine's own address, as its containers see it. */
const BRIDGE = "172.17.0.1";

const config = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const { Miniflare } = createRequire(`${config.modules}/`)("miniflare");

const durableObjects = Object.fromEntries(
  Object.entries(config.durableObjects).map(([binding, { className, image }]) => [
    binding,
    {
      className,
      useSQLite: true,
      ...(image ? { container: { imageName: image } } : {}),
    },
  ]),
);

const runtime = new Miniflare({
  name: config.name,
  modules: true,
  modulesRoot: config.project,
  modulesRules: [{ type: "ESModule", include: ["**/*.js", "**/*.mjs"] }],
  rootPath: config.project,
  scriptPath: config.main,
  compatibilityDate: config.compatibilityDate,
  compatibilityFlags: config.compatibilityFlags,
  bindings: config.bindings,
  durableObjects,
  durableObjectsPersist: config.storage,
  containerEngine: {
    localDocker: {
      socketPath: `unix:${config.docker}`,
      containerEgressInterceptorImage: config.sidecar,
    },
  },
  host: "127.0.0.1",
  port: 0,
  cf: false, // which would be fetched from the network
});

// A connection that ends on one side ends on the other, in the same way.
function join(client, port) {
  const worker = net.connect({ host: "127.0.0.1", port, allowHalfOpen: true });
  for (const [from, to] of [
    [client, worker],
    [worker, client],
  ]) {
    from.setNoDelay(true);
    from.pipe(to);
    from.on("error", () => to.resetAndDestroy());
    from.on("close", () => to.destroySoon());
  }
}

async function leave() {
  await runtime.dispose();
  process.exit(0);
}

process.stdin.on("end", leave).resume();
const port = Number((await runtime.ready).port);
const server = net.createServer({ allowHalfOpen: true }, (client) => join(client, port));
if (config.bridgePort) {
  const bridge = net.createServer({ allowHalfOpen: true }, (client) => join(client, port));
  await new Promise((up) => bridge.listen(config.bridgePort, BRIDGE, up));
}
server.listen({ fd: config.listener }, () => console.log(JSON.stringify({ port: config.port })));
