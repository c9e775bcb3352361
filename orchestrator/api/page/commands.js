// What can be asked of a container: the words of each action, the request it makes, and
// the command that does the same in a terminal.

import { ROOT, hasToken } from "./api.js";

export const ACTIONS = [
  {
    id: "start",
    word: "Start",
    verb: "start",
    says: "It is wanted running from now on. One that crash-loops or has failed needs force.",
  },
  {
    id: "force",
    word: "Force start",
    verb: "start",
    force: true,
    says: "It is started now, although its policy would wait, hold it or has given up.",
  },
  {
    id: "stop",
    word: "Stop",
    verb: "stop",
    says: "Its run is ended, and it stays stopped until it is asked for again.",
  },
  {
    id: "restart",
    word: "Restart",
    verb: "restart",
    says: "Its run is ended and another is started. This counts as no crash.",
  },
  {
    id: "reset",
    word: "Reset",
    verb: "reset",
    says:
      "Its crash history is cleared: the next failure counts as the first." +
      " One that is held or has failed starts again. The journal keeps everything.",
  },
  {
    id: "remove",
    word: "Remove",
    verb: "remove",
    danger: true,
    says: "It is forgotten, with its log. That is for containers started by request, at rest.",
  },
];

// Return the request of an action: method, path and body.
export function requestOf(action, name, { by, why }) {
  const path = `/v1/containers/${encodeURIComponent(name)}`;
  const body = { by, why };
  if (action.id === "remove") return { method: "DELETE", path, body };
  if (action.force) body.force = true;
  return { method: "POST", path: `${path}/${action.verb}`, body };
}

// Return the command that asks for the same, ready to be pasted into a shell.
export function commandOf(action, name, why) {
  const words = ["orchestrator", action.verb, name];
  if (action.force) words.push("--force");
  return [...words, ...ending(why)].join(" ");
}

// Return the words with which each command ends: what for, and at which operator.
export function ending(why) {
  const words = why ? ["--why", quoted(why)] : [];
  words.push("--url", quoted(location.origin + ROOT));
  if (hasToken()) words.push("--token-file", "TOKEN_FILE");
  if (hasToken() && isPlain(location)) words.push("--allow-http");
  return words;
}

// Without TLS the command shows its token to this machine alone, unless it is told to.
export function isPlain({ protocol, hostname }) {
  return protocol === "http:" && !/^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
}

// A single-quoted word of a POSIX shell holds anything but a single quote.
export function quoted(text) {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", "'\\''")}'`;
}
