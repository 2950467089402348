// How the daemon is, from what it tells.

import {clock, duration} from "./format.js";

const LATE_STEPS = 300;

function latency({count, columns}) {
  if (!count) return "not known yet";
  const late = columns.latency.slice(Math.max(0, count - LATE_STEPS), count).sort();
  const at = (share) =>
    late[Math.min(late.length - 1, Math.floor(share * late.length))];
  return `${at(0.5).toFixed(1)} ms; 1 in 100 over ${at(0.99).toFixed(1)} ms `
    + `(last ${late.length} steps)`;
}

function losses({lost, marks}) {
  const lostDevice = marks.filter(({kind}) => kind === "audio lost").length;
  const parts = [];
  if (lost.gaps) parts.push(`gaps: ${lost.gaps}, ${lost.seconds.toFixed(1)} s`);
  if (lostDevice) parts.push(`device lost: ${lostDevice}`);
  if (lost.skips) parts.push(`too slow: ${lost.skips}`);
  return parts.length ? parts.join("; ") : "none";
}

function subscribers(health) {
  if (!health) return "not known yet";
  const kinds = Object.entries(health.subscribers ?? {});
  const all = kinds.reduce((sum, [, count]) => sum + Number(count), 0);
  return `${all} (${kinds.map(([kind, count]) => `${count} ${kind}`).join(", ")}); `
    + `predictions dropped: ${Number(health.dropped)}`;
}

export class Health {
  constructor(list) {
    this.list = list;
    this.values = new Map();
  }

  draw(past, health) {
    const {hello, steps} = past;
    if (!hello) return;
    const {model, audio} = hello, first = steps.count ? steps.columns.time[0] : 0;
    const rate = audio.device_rate ? `, ${Number(audio.device_rate)} Hz` : "";
    this.say("Device", `${audio.device || audio.source}${rate}`);
    this.say("Sound", past.audio);
    this.say("Model", `${model.name}${model.adapted ? ", adapted" : ""}`);
    this.say("Licence", model.licence);
    this.say("Step", `${audio.step_ms} ms`);
    this.say("Latency", latency(steps));
    this.say("Losses", losses(past));
    this.say("Subscribers", subscribers(health));
    const since = clock(past.wall(first));
    this.say("Kept here", steps.count ? `${steps.count} steps since ${since} `
      + `(${duration(past.newest - first)})` : "nothing yet");
  }

  say(name, text) {
    let value = this.values.get(name);
    if (!value) {
      const row = document.createElement("div"), term = document.createElement("dt");
      value = document.createElement("dd");
      term.textContent = name;
      row.append(term, value);
      this.list.append(row);
      this.values.set(name, value);
    }
    if (value.textContent !== text) value.textContent = text;
  }
}
