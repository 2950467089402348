// The panel of the present: headline, bars, level.

import {decibels, percent} from "./format.js";
import {headline} from "./headline.js";
import {colour} from "./palette.js";

const $ = (id) => document.getElementById(id);
const QUIETEST = -70, LOUD = -9;

function say(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function style(element, name, value) {
  if (element.style[name] !== value) element.style[name] = value;
}

const share = (level) => Math.max(0, Math.min(1, 1 - level / QUIETEST));

function levelWords(level, clips) {
  if (clips) return "peaks are cut, or were within 2 s";
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
    say("why", connected ? said.why : past.newest
      ? "Not connected: this is how it last was." : "Not connected.");
    const box = $("now");
    box.dataset.kind = said.kind;
    box.style.setProperty("--tone", said.label ? colour(said.label) : "var(--dim)");
    const heard = connected && said.kind !== "audio" ? last : null;
    box.classList.toggle("quiet", !heard?.scores);
    this.drawBars(past.labels, heard?.scores ?? null, past.steady?.label);
    this.drawLevel(heard, heard && past.clips);
    return said;
  }

  drawBars(labels, scores, steady) {
    const known = labels.join("\n");
    if (known !== this.known) this.makeBars(labels);
    this.known = known;
    for (const [label, {row, bar, value}] of this.bars) {
      const score = scores?.[label];
      const width = score === undefined ? "0%" : `${100 * score}%`;
      style(bar, "width", width);
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

  drawLevel(heard, clips) {
    const meter = $("level"), level = heard?.level_dbfs ?? QUIETEST;
    const peak = heard?.peak_dbfs;
    const told = peak === undefined ? "" : `, peak ${decibels(peak)}`;
    const words = heard ? `${decibels(level)}${told}; ${levelWords(level, clips)}`
      : "not known";
    const [bar, top] = meter.children;
    style(bar, "width", `${100 * share(level)}%`);
    style(top, "left", `${100 * share(peak ?? QUIETEST)}%`);
    meter.classList.toggle("clips", clips === true);
    $("clips").classList.toggle("lit", clips === true);
    say("clips", clips ? "clipping" : clips === null ? "clipping: not told"
      : "no clipping");
    const now = String(Math.round(Math.max(QUIETEST, Math.min(0, level))));
    if (meter.ariaValueNow !== now) meter.ariaValueNow = now;
    if (meter.ariaValueText !== words) meter.ariaValueText = words;
    say("level-text", words);
  }
}
