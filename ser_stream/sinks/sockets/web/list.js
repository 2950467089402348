// Emotions and marks in words, the newest first.

import {clock, percent} from "./format.js";
import {colour} from "./palette.js";

const MOST = 200;

export class List {
  constructor(body) {
    this.body = body;
    this.open = new Map();                  // id of an emotion -> {row, surest}
    this.stale = new Map();                 // row -> what its last cells are to say
  }

  clear() {
    this.body.replaceChildren();
    this.open.clear();
    this.stale.clear();
  }

  // Write what has changed: together, for each time costs a layout.
  draw() {
    for (const [row, texts] of this.stale)
      texts.forEach((text, at) => { row.children[at + 2].textContent = text; });
    this.stale.clear();
  }

  take(message) {
    if (message.type === "emotion") this.emotion(message);
  }

  emotion(message) {
    const {phase, id, start_ms, end_ms, confidence} = message;
    const known = this.open.get(id);
    // At its end an emotion is never sure: the highest says how clear it was.
    const surest = Math.max(confidence, known?.surest ?? 0);
    const lasts = `${((end_ms - start_ms) / 1000).toFixed(1)} s`;
    const texts = [phase === "end" ? lasts : `≥ ${lasts}`, percent(surest)];
    if (known) {
      known.surest = surest;
      this.stale.set(known.row, texts);
    } else this.begin(message, texts);
    if (document.hidden) this.draw();       // nothing is drawn, and it must not pile up
    if (phase === "end") this.open.delete(id);
  }

  begin({id, label, start_ms, end_ms, time, confidence}, texts) {
    const start = Date.parse(time) / 1000 - (end_ms - start_ms) / 1000;
    const row = this.row([clock(start), `${label} #${id}`, ...texts], "emotion");
    row.style.setProperty("--tone", colour(label));
    this.open.set(id, {row, surest: confidence});
  }

  // What is no emotion; `time` in seconds since 1970.
  note(time, text) {
    const row = this.row([time ? clock(time) : "", text], "note");
    row.lastElementChild.colSpan = 3;
  }

  row(cells, kind) {
    const row = document.createElement("tr");
    row.className = kind;
    for (const cell of cells)
      row.appendChild(document.createElement("td")).textContent = cell;
    this.body.prepend(row);
    while (this.body.childElementCount > MOST) this.body.lastElementChild.remove();
    if (this.open.size > MOST) this.open.clear();
    return row;
  }
}
