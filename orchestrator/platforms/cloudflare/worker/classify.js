// What a message of the platform means: the one table, first match wins.
//
// Cloudflare gives no structured reason, only text; so texts are matched by what they
// begin with or contain, without regard to case. What is not known stays "unknown",
// with the raw text: it is never taken for success.

/** Characters of a raw message that are kept. */
const RAW_MAX = 500;

/** Each kind of message: its name, and what the text looks like. */
export const TABLE = [
  ["out_of_memory", /out of memory|oom error|oomkilled/i],
  ["rollout", /runtime signalled the container to exit due to a new version rollout/i],
  ["signalled", /runtime signalled the container to exit/i],
  ["exited", /container exited with unexpected exit code/i],
  ["no_capacity", /there is no container instance that can be provided to this durable object/i],
  ["quota", /maximum number of running container instances exceeded/i],
  ["rate_limited", /requesting too many containers per second/i],
  ["no_application", /there is no container application assigned/i],
  ["not_listening", /container is not listening|container port not found|connection refused/i],
  ["already_running", /cannot be called on a container that is already running/i],
  ["not_running", /cannot be called on a container that is not running|container is not running/i],
  ["start_failed", /container failed to start|failed to find container|container ingress proxy is not running/i],
  ["object_reset", /durable object reset because its code was updated|this durable object instance is no longer active|connection closed because the object was reset|exceeded its memory limit and was reset|call to blockconcurrencywhile\(\) in a durable object waited for too long/i],
  ["overloaded", /durable object is overloaded|too many requests for the same object/i],
  ["engine_lost", /network connection lost|internal error|disconnected/i],
  ["timed_out", /aborted due to timeout|operation was aborted|timed out/i],
];

/**
 * Say what an error of the platform means.
 *
 * @param {unknown} error what `monitor()`, `start()` or a fetch was rejected with
 * @returns {{kind: string, code?: number, raw: string}} the code is the process's own,
 *   where the platform tells one
 */
export function classify(error) {
  const raw = String(error?.message ?? error).slice(0, RAW_MAX);
  const found = TABLE.find(([, pattern]) => pattern.test(raw));
  const code = codeOf(error, raw);
  const kind = found?.[0] ?? (code === undefined ? "unknown" : "exited");
  return code === undefined ? { kind, raw } : { kind, code, raw };
}

/** The exit code: a property of newer errors, the end of the text of the others. */
function codeOf(error, raw) {
  if (Number.isInteger(error?.exitCode)) return error.exitCode;
  const text = /exit(?: code| due to a new version rollout)?: (-?\d+)\s*$/i.exec(raw);
  return text ? Number(text[1]) : undefined;
}
