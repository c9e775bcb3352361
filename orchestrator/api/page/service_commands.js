// What can be asked of a service: the words of each action, the request it makes, and the
// command that does the same in a terminal. Which of them are possible is told by
// rollout_words.js; a scale always is.
//
//   SERVICE_ACTIONS             [{id, word, says, danger}]
//   serviceRequest(action, name, words, value)     {method, path, body}
//   serviceCommand(action, name, why, value)       the command
// `value`: the number of replicas of a scale, the revision of an undo (null: by itself).

import { ending, quoted } from "./commands.js";

export const SERVICE_ACTIONS = [
  {
    id: "pause",
    word: "Pause",
    says: "No more replicas are moved until it is resumed. Those that are moving come up.",
  },
  { id: "resume", word: "Resume", says: "It goes on where it was paused." },
  {
    id: "promote",
    word: "Promote",
    says: "It goes on to its next step at once, whether it waits for that or still watches what is new.",
  },
  {
    id: "abort",
    word: "Abort",
    danger: true,
    says: "It goes back to the revision before, replica by replica, within the same bounds.",
  },
  {
    id: "undo",
    word: "Undo",
    danger: true,
    says: "An earlier revision is rolled out, as a new revision. The fleet file stays as it is.",
  },
  {
    id: "start",
    word: "Start",
    says: "All replicas are rolled out anew, or once more to what was reverted or held.",
  },
];

export const SCALE = {
  id: "scale",
  word: "Scale",
  says: "It runs so many replicas from now on. The fleet file stays as it is.",
};

export function serviceRequest(action, name, { by, why }, value) {
  const path = `/v1/services/${encodeURIComponent(name)}`;
  if (action.id === "scale") return { method: "POST", path: `${path}/scale`, body: { replicas: value, by, why } };
  const body = action.id === "undo" && value !== null ? { to: value, by, why } : { by, why };
  return { method: "POST", path: `${path}/rollout/${action.id}`, body };
}

export function serviceCommand(action, name, why, value) {
  const words = ["orchestrator"];
  if (action.id === "scale") words.push("scale", quoted(name), String(value ?? "N"));
  else words.push("rollout", action.id, quoted(name));
  if (action.id === "undo" && value !== null) words.push("--to", String(value));
  return [...words, ...ending(why)].join(" ");
}
