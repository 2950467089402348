// What the headline says: only what the events hold; and why it and the bars differ.

import {clock, duration, percent} from "./format.js";

const AUDIO = {
  lost: "microphone lost", failed: "microphone failed", paused: "paused",
  recovering: "waiting for sound", resumed: "waiting for sound",
};

function best(scores) {
  return Object.entries(scores).reduce((a, b) => (b[1] > a[1] ? b : a));
}

// The present step in words.
function present(last) {
  if (last === null) return "now: nothing heard yet";
  if (last.scores === null) return "now: no speech";
  if (last.label !== "uncertain")
    return `now: ${last.label} ${percent(last.confidence)}`;
  const [label, score] = best(last.scores);
  return `now: uncertain (best: ${label} ${percent(score)})`;
}

function steadyText(past) {
  const {steady, last, newest} = past;
  const end = Math.max(steady.endMs, last?.end_ms ?? 0);
  const lasts = (end - steady.startMs) / 1000;
  const since = newest ? `, from ${clock(past.wall(newest - lasts))}` : "";
  const sure = steady.confidence === null ? ""
    : `; ${percent(steady.confidence)} sure, on the mean of late steps`;
  return `steady: ${steady.label} since ${duration(lasts)}${since} (#${steady.id})`
    + sure;
}

function whyBeside(steady, last) {
  if (last === null || last.label === steady.label) return "";
  if (last.scores === null)
    return "The present step has no speech; an emotion is held over a short pause.";
  if (last.label === "uncertain")
    return "The present step is not sure, which alone does not end an emotion.";
  return `The present step says ${last.label}; a steady emotion changes only when `
    + "another leads for longer.";
}

// -> {kind, big, steady, now, why}; `big` is the headline.
export function headline(past) {
  const {steady, last, audio, newest} = past;
  if (Object.hasOwn(AUDIO, audio))
    return {kind: "audio", big: AUDIO[audio], steady: "", now: "",
      why: newest ? `The last sound was heard at ${clock(past.wall(newest))}.` : ""};
  const now = present(last);
  if (steady) return {kind: "steady", big: steady.label, label: steady.label,
    steady: steadyText(past), now, why: whyBeside(steady, last)};
  const none = {steady: "steady: none", now};
  if (last === null) return {...none, kind: "none", big: "–", why: ""};
  if (last.scores === null)
    return {...none, kind: "no_speech", big: "no speech", why: ""};
  if (last.label === "uncertain") return {...none, kind: "uncertain", big: "uncertain",
    why: "No score is high enough to call the step by an emotion."};
  return {...none, kind: "none", big: "– none steady",
    why: "One step does not make a steady emotion; it has to lead for a while."};
}
