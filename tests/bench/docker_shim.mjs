// A shim in front of the Docker engine: `node docker_shim.mjs SOCKET ENGINE_SOCKET`.
//
// What is created through it is never restarted by Docker, so that an exit is an exit,
// as it is on Cloudflare, and can use only so much memory, so that a container which
// wants all of it harms nobody. All else goes through as it is, and is counted:
// GET /_calls tells how often each call was made, DELETE /_calls begins anew.

import fs from "node:fs";
import http from "node:http";
import net from "node:net";

const [, , socketPath, enginePath] = process.argv;
const MEMORY_BYTES = 64 * 1024 * 1024;
const MEMORY_OF_PYTHON = 512 * 1024 * 1024;
const calls = new Map();

function nameOf(request) {
  const path = request.url.replace(/\?.*/, "").replace(/^\/v\d[\d.]*/, "");
  const general = path.replace(
    /^\/(containers|exec|images)\/(?!create$|json$|prune$)[^/]+/,
    "/$1/{id}",
  );
  return `${request.method} ${general}`;
}

function count(request) {
  const name = nameOf(request);
  calls.set(name, (calls.get(name) ?? 0) + 1);
  return name;
}

async function created(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const wanted = JSON.parse(Buffer.concat(chunks));
  const memory = wanted.Image?.startsWith("bench-python") ? MEMORY_OF_PYTHON : MEMORY_BYTES;
  wanted.HostConfig = {
    ...wanted.HostConfig,
    RestartPolicy: { Name: "no" },
    Memory: memory,
    MemorySwap: memory,
  };
  return Buffer.from(JSON.stringify(wanted));
}

function forward(request, response, body) {
  const headers = { ...request.headers };
  if (body) {
    delete headers["transfer-encoding"];
    headers["content-length"] = body.length;
  }
  const { method, url: path } = request;
  const onward = http.request(
    { socketPath: enginePath, method, path, headers, agent: false },
    (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    },
  );
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  if (body) onward.end(body);
  else request.pipe(onward);
}

const server = http.createServer(async (request, response) => {
  if (request.url === "/_calls") {
    if (request.method === "DELETE") calls.clear();
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(Object.fromEntries(calls)));
    return;
  }
  const name = count(request);
  try {
    const body = name === "POST /containers/create" ? await created(request) : null;
    forward(request, response, body);
  } catch {
    response.destroy();
  }
});

// A call that takes the connection over, such as one that runs a program.
server.on("upgrade", (request, client, head) => {
  count(request);
  const engine = net.connect(enginePath, () => {
    const lines = [`${request.method} ${request.url} HTTP/1.1`];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    engine.write(`${lines.join("\r\n")}\r\n\r\n`);
    engine.write(head);
    engine.pipe(client).pipe(engine);
  });
  engine.on("error", () => client.destroy());
  client.on("error", () => engine.destroy());
});

// Waiting for a container to end takes as long as it takes.
server.requestTimeout = 0;
server.keepAliveTimeout = 0;
fs.rmSync(socketPath, { force: true });
server.listen(socketPath);
