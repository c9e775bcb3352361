// What was declared of a container: its health checks with their last verdicts, and the
// whole spec as the operator holds it (what looks secret is hidden by the operator).

import { copyButton } from "./copies.js";
import { el, replace } from "./dom.js";
import { duration, moment } from "./times.js";
import { plain } from "./words.js";

const KINDS = ["startup", "readiness", "liveness"];
const ROLES = {
  startup: "Until it has passed, the others are not asked; failing ends the run",
  readiness: "While it fails, the container is not ready",
  liveness: "Failing ends the run as unhealthy",
};

// Show the health checks of a spec; `verdicts`: what a timeline knows, oldest first.
export function showHealth(host, spec, verdicts, run) {
  const checks = KINDS.filter((kind) => spec?.health?.[kind]);
  if (checks.length === 0) {
    replace(
      host,
      el("p", { class: "muted" }, "No health check is declared: it is ready when the platform says so."),
    );
    return;
  }
  replace(
    host,
    el(
      "ul",
      { class: "checks" },
      checks.map((kind) => check(kind, spec.health[kind], last(verdicts, kind, run))),
    ),
  );
}

function last(verdicts, kind, run) {
  return verdicts.filter((one) => one.check === kind && one.run === run).at(-1) ?? null;
}

function check(kind, declared, verdict) {
  return el(
    "li",
    {},
    el("h3", {}, kind),
    el("p", {}, verdictOf(verdict)),
    verdict?.cause ? el("p", { class: "fine" }, verdict.cause) : null,
    el("p", { class: "muted fine" }, `${scheduleWords(declared)} ${ROLES[kind]}.`),
  );
}

function verdictOf(verdict) {
  if (verdict === null) return [el("span", { "aria-hidden": "true" }, "– "), "no verdict for this run yet"];
  return verdict.passing
    ? [el("span", { class: "ok-text", "aria-hidden": "true" }, "✓ "), "passes since ", moment(verdict.at)]
    : [el("span", { class: "bad-text", "aria-hidden": "true" }, "✕ "), "fails since ", moment(verdict.at)];
}

function scheduleWords({ probe, period_ms: period, timeout_ms: timeout, failure_threshold: bad, success_threshold: good }) {
  const often = `every ${duration(period)}, within ${duration(timeout)}`;
  return `${probeWords(probe)}, ${often}; ${bad} in a row fail, ${good} pass.`;
}

function probeWords(probe) {
  switch (probe.type) {
    case "http_probe":
      return `GET ${probe.path ?? "/"} on port ${probe.port}`;
    case "tcp_probe":
      return `Connects to port ${probe.port}`;
    case "command_probe":
      return `Runs ${probe.command.join(" ")}`;
    default:
      return plain(probe.type);
  }
}

// Show a spec: the facts that people ask for first, then all of it as JSON.
export function showSpec(host, spec) {
  const text = JSON.stringify(spec, null, 2);
  replace(
    host,
    el("dl", { class: "pairs" }, factsOf(spec)),
    el(
      "details",
      {},
      el("summary", {}, "All of it as JSON"),
      copyButton(() => text, "Copy the spec"),
      el("pre", { class: "json", tabindex: "0", "aria-label": "The spec as JSON" }, text),
    ),
  );
}

function factsOf(spec) {
  const facts = [];
  const fact = (name, value) => facts.push(el("div", {}, el("dt", {}, name), el("dd", {}, value)));
  if (spec.image) fact("image", el("code", {}, spec.image));
  if (spec.command?.length) fact("command", el("code", {}, spec.command.join(" ")));
  fact("restarted", restartWords(spec.restart));
  fact("stopped", `by SIG${spec.stop_signal}, within ${duration(spec.stop_grace_ms)}`);
  fact("must start within", duration(spec.start_timeout_ms));
  if (Object.keys(spec.ports ?? {}).length) fact(
    "ports",
    Object.entries(spec.ports).map(([name, port]) => `${name} ${port}`).join(", "),
  );
  if (Object.keys(spec.config ?? {}).length) fact("config", el("code", {}, JSON.stringify(spec.config)));
  if (Object.keys(spec.env ?? {}).length) fact("environment", Object.keys(spec.env).join(", "));
  return facts;
}

function restartWords(restart) {
  const { backoff } = restart;
  const loop = restart.crash?.on_loop;
  const then = loop === null || loop === undefined ? "" : `; in a crash loop: ${plain(loop.type ?? loop)}`;
  const waits = `after ${duration(backoff.initial_ms)}, then ${backoff.factor} times longer`;
  return `${plain(restart.when)}, ${waits}, at most ${duration(backoff.max_ms)}${then}`;
}
