// Whether a container listens: asked at its ports, and read from who refuses.

import { classify } from "./classify.js";
import { within } from "./waiting.js";

/** How long one port may take to answer. */
const LIMIT_MS = 2_000;

/** Between two looks at the ports: at first, at most, and once its time is over. */
export const LOOK_MS = [20, 1_000, 5_000];

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

/** @returns {Promise<boolean>} whether a container is reached, and refuses where nothing listens */
export async function isUp(container) {
  return (await asked(container, NO_PORT)) === "up";
}

async function listens(container, port) {
  const first = await asked(container, port);
  if (first !== "unclear" || port === NO_PORT) return first === "unclear" ? "down" : first;
  // It took the connection and says nothing in HTTP, or it is not there yet. Who is
  // there, and says nothing once more, listens.
  if (!(await isUp(container))) return "down";
  const again = await asked(container, port);
  return again === "unclear" ? "listening" : again;
}

async function asked(container, port) {
  try {
    const signal = AbortSignal.timeout(LIMIT_MS);
    const request = { method: "HEAD", redirect: "manual", signal };
    await within(2 * LIMIT_MS, container.getTcpPort(port).fetch("http://container/", request));
    return "listening";
  } catch (error) {
    const { kind } = classify(error);
    if (kind === "not_listening") return "up";
    return kind === "timed_out" || kind === "unknown" ? "unclear" : "down";
  }
}
