// Server-sent events out of the body of a fetch: EventSource cannot send a token.
//
// Exports (stable):
//   messages(body)     an async iterator of {kind, data}; data is the parsed JSON

import { ApiError } from "./api.js";

export async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let kind = "message";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(broken);
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const raw of lines) {
        const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
        if (line === "") {
          if (data.length) yield { kind, data: JSON.parse(data.join("\n")) };
          kind = "message";
          data = [];
        } else if (line.startsWith("event:")) {
          kind = line.slice(6).trim();
        } else if (line.startsWith("data:")) {
          data.push(line.slice(5).replace(/^ /, ""));
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function broken(problem) {
  if (problem.name === "AbortError") throw problem;
  throw new ApiError(0, "unreachable", "The connection to the operator broke.");
}
