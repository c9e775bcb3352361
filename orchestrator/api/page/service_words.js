// A service in words: how it scales by itself, and where it is in its facts.
//
//   scalingWords(service)    one sentence, "" where it does not scale by itself
//   serviceFacts(service)    [[name, value]] for a list of facts

import { moment } from "./times.js";
import { asSentence, plain } from "./words.js";

export function scalingWords({ autoscaling }) {
  if (autoscaling === null || autoscaling === undefined) return "";
  const { metric, least, most, load, target, wanted, verdict } = autoscaling;
  const bounds = `Scales by ${plain(metric)}, ${least} to ${most}`;
  if (load === null) return `${bounds}: nothing was measured lately.`;
  const wants = verdict === "enough" ? "that is enough" : `${wanted} are wanted`;
  return `${bounds}: load ${number(load)}, ${number(target)} for each; ${wants}.`;
}

export function serviceFacts(service) {
  const { ready, replicas, declared, resting, leaving, failed, revision, autoscaling } = service;
  const facts = [
    ["ready", `${ready} of ${replicas} asked for`],
    ["declared", declared === replicas ? String(declared) : `${declared} in the fleet file`],
    ["revision", `${revision}, of which new replicas are made`],
  ];
  if (resting > 0) facts.push(["at rest", String(resting)]);
  if (leaving.length > 0) facts.push(["leaving", String(leaving.length)]);
  if (failed.length > 0) facts.push(["failed", some(failed)]);
  if (autoscaling) facts.push(...scalingFacts(autoscaling));
  return facts;
}

function scalingFacts({ metric, target, least, most, load, wanted, why, until, measured_at, scaled_at }) {
  const facts = [
    ["scales by", `${plain(metric)}, ${number(target)} for each replica`],
    ["replicas", `${least} at least, ${most} at most`],
    ["load", load === null ? "nothing measured" : number(load)],
    ["wanted", String(wanted)],
    ["because", asSentence(why)],
  ];
  if (until !== null) facts.push(["not before", moment(until)]);
  if (measured_at !== null) facts.push(["measured", moment(measured_at)]);
  if (scaled_at !== null) facts.push(["number changed", moment(scaled_at)]);
  return facts;
}

function number(value) {
  return String(Math.round(value * 1000) / 1000);
}

function some(names) {
  const shown = names.slice(0, 10).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}
