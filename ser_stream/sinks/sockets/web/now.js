// The panel of the present: headline, bars, level.

import {decibels, percent} from "./format.js";
import {headline} from "./headline.js";
import {colour} from "./palette.js";

const $ = (id) => document.getElementById(id);
const QUIETEST = -70;
const CLIPS = -3, LOUD = -9;                // root mean square; −3: full-scale sine

function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function levelWords(level) {
  if (level > CLIPS) return "clipping: louder than a full-scale sine";
  return level > LOUD ? "very loud" : level > -60 ? "fine" : "silent";
}

export class Now {
  constructor() { this.bars = new Map(); }

  // Draw how things stand; returns the headline.
  draw(past, connected) {
    const {last} = past, said = headline(past);
    say("emotion", said.big);
    say("steady", said.steady);
    say("heard", said.now);
    say("why", connected ? said.why : "Not connected: this is how it last was.");
    const box = $("now");
    box.dataset.kind = said.kind;
    box.style.setProperty("--tone", said.label ? colour(said.label) : "var(--dim)");
    const heard = connected && said.kind !== "audio" ? last : null;
    box.classList.toggle("quiet", !heard?.scores);
    this.drawBars(past.labels, heard?.scores ?? null, past.steady?.label);
    this.drawLevel(heard);
    return said;
  }

  drawBars(labels, scores, steady) {
    const known = labels.join("\n");
    if (known !== this.known) this.makeBars(labels);
    this.known = known;
    for (const [label, {row, bar, value}] of this.bars) {
      const score = scores?.[label];
      const width = score === undefined ? "0%" : `${100 * score}%`;
      if (bar.style.width !== width) bar.style.width = width;
      const text = score === undefined ? "" : percent(score);
      if (value.textContent !== text) value.textContent = text;
      row.classList.toggle("steady", label === steady);
    }
  }

  makeBars(labels) {
    this.bars.clear();
    $("bars").replaceChildren(...labels.map((label) => {
      const make = (name, kind) =>
        Object.assign(document.createElement(name), {className: kind});
      const row = make("div", "row"), name = make("span", "name");
      const track = make("span", "track"), bar = make("i", "");
      const value = make("span", "value");
      name.textContent = label;
      row.style.setProperty("--tone", colour(label));
      track.append(bar);
      row.append(name, track, value);
      this.bars.set(label, {row, bar, value});
      return row;
    }));
  }

  drawLevel(heard) {
    const meter = $("level"), level = heard?.level_dbfs ?? QUIETEST;
    const share = Math.max(0, Math.min(1, 1 - level / QUIETEST));
    const words = heard ? `${decibels(level)}, ${levelWords(level)}` : "not known";
    meter.firstElementChild.style.width = `${100 * share}%`;
    meter.classList.toggle("clips", heard !== null && level > CLIPS);
    meter.ariaValueNow = String(Math.round(Math.max(QUIETEST, Math.min(0, level))));
    meter.ariaValueText = words;
    say("level-text", words);
  }
}
