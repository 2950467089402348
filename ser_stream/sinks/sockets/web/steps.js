// The steps of the last hour, in columns of numbers: small, and quick to draw.

const KEPT_S = 3600, MOST = 40000, MOST_LABELS = 32;
export const NO_SPEECH = 0, SPEECH = 1, UNCERTAIN = 2;

export class Steps {
  constructor() {
    this.scores = new Map();                // label -> its scores, NaN without speech
    this.clear();
  }

  clear() {
    this.count = 0;
    this.room = 1024;
    this.scores.clear();
    const make = (kind) => new kind(this.room);
    this.columns = {
      seq: make(Float64Array), time: make(Float64Array), end: make(Float64Array),
      wall: make(Float64Array),
      state: make(Uint8Array), gap: make(Uint8Array), label: make(Uint8Array),
      confidence: make(Float32Array), level: make(Float32Array),
      peak: make(Float32Array), latency: make(Float32Array),
    };
    this.labels = [];                       // what `label` counts
  }

  get newest() { return this.count ? this.columns.time[this.count - 1] : 0; }

  // `time` is a place in the timeline, `wall` what the daemon's clock said; `gap` tells
  // that audio is missing before this step.
  add(message, time, wall, gap) {
    this.makeRoom();
    const at = this.count++, c = this.columns, {scores} = message;
    c.seq[at] = message.seq;
    c.time[at] = time;
    c.wall[at] = wall;
    c.end[at] = message.end_ms;
    c.gap[at] = gap ? 1 : 0;
    c.level[at] = message.level_dbfs;
    c.peak[at] = message.peak_dbfs ?? NaN;
    c.latency[at] = message.latency_ms;
    c.confidence[at] = scores ? message.confidence : NaN;
    c.label[at] = scores ? this.number(message.label) : 255;
    c.state[at] = !scores ? NO_SPEECH
      : message.label === "uncertain" ? UNCERTAIN : SPEECH;
    for (const column of this.scores.values()) column[at] = NaN;
    for (const label in scores) {
      if (!this.scores.has(label)) {
        if (this.scores.size >= MOST_LABELS) continue;
        this.scores.set(label, new Float32Array(this.room).fill(NaN));
      }
      this.scores.get(label)[at] = scores[label];
    }
  }

  number(label) {
    let at = this.labels.indexOf(label);
    if (at < 0 && this.labels.length < 254) at = this.labels.push(label) - 1;
    return at < 0 ? 255 : at;
  }

  makeRoom() {
    if (this.count < this.room) return;
    const {time} = this.columns, oldest = time[this.count - 1] - KEPT_S;
    let first = 0;
    while (first < this.count && time[first] < oldest) first++;
    // Some at a time, so that columns are seldom moved.
    if (first < this.count / 16) first = this.room < MOST ? 0 : this.room >> 3;
    if (first) {
      for (const column of this.every()) column.copyWithin(0, first, this.count);
      this.count -= first;
    } else {
      this.room *= 2;
      const grow = (old) => {
        const grown = new old.constructor(this.room);
        grown.set(old);
        return grown;
      };
      for (const name in this.columns) this.columns[name] = grow(this.columns[name]);
      for (const [label, old] of this.scores) this.scores.set(label, grow(old));
    }
  }

  * every() { yield* Object.values(this.columns); yield* this.scores.values(); }

  // The first step at or after a time.
  find(time) {
    let low = 0, high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.columns.time[middle] < time) low = middle + 1; else high = middle;
    }
    return low;
  }
}
