// Whether a container listens: asked at its ports, and read from who refuses.

import { classify } from "./classify.js";

/** How long one port may take to answer. */
const LIMIT_MS = 2_000;

/** A port on which nothing listens: who refuses there is up. */
const NO_PORT = 33;

/**
 * Look at the ports of a container once.
 *
 * @returns {Promise<"listening" | "up" | "down">} all of them listen; it runs, and they
 *   do not yet; or nothing is known to run. Without ports, what runs is ready.
 */
export async function look(container, ports) {
  if (ports.length === 0) return (await listens(container, NO_PORT)) === "down" ? "down" : "listening";
  const found = await Promise.all(ports.map((port) => listens(container, port)));
  if (found.every((one) => one === "listening")) return "listening";
  return found.some((one) => one !== "down") ? "up" : "down";
}

async function listens(container, port) {
  try {
    const signal = AbortSignal.timeout(LIMIT_MS);
    await container.getTcpPort(port).fetch("http://container/", { method: "HEAD", redirect: "manual", signal });
    return "listening";
  } catch (error) {
    const { kind } = classify(error);
    if (kind === "not_listening") return "up";
    if (kind === "unknown") return "listening"; // it answers, though not in HTTP
    // It took the connection and says nothing, or it is not there yet: another port tells.
    if (kind === "timed_out" && port !== NO_PORT) return (await listens(container, NO_PORT)) === "up" ? "listening" : "down";
    return "down";
  }
}
