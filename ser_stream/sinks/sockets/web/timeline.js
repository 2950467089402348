// Audio time orders what is shown: the daemon's clock may be set while it runs. Places
// are in seconds since 1970 by the clock of the first message, and so run on evenly.

const DRIFT_S = 0.25;                       // followed; no label of a second shows it
const SET_S = 2;                            // a clock that differs by more was set
const MOST = 1000;

export class Timeline {
  constructor() { this.clear(); }

  clear() {
    this.zero = null;                       // the place of audio time 0
    this.end = -Infinity;                   // the latest audio time that was told, in ms
    this.ahead = [];                        // {from, by}: from a place on, the clock is so
  }                                         // far ahead of places

  get by() { return this.ahead.at(-1)?.by ?? 0; }

  // Follow a message that has both times: by how much the clock was set before, seconds.
  follow(endMs, wall) {
    this.zero ??= wall - endMs / 1000;
    if (endMs < this.end) return 0;         // the end of an emotion is told late
    this.end = endMs;
    const from = this.place(endMs), by = wall - from, set = by - this.by;
    if (Math.abs(set) <= DRIFT_S) return 0;
    this.ahead.push({from, by});
    if (this.ahead.length > MOST) this.ahead.splice(0, MOST / 4);
    return Math.abs(set) > SET_S ? set : 0;
  }

  place(ms) { return this.zero + ms / 1000; }

  // Of what has no audio time, by the clock as it was last told.
  placeOf(wall) { return wall - this.by; }

  // What the daemon's clock said at a place, seconds since 1970.
  wall(place) {
    return place + (this.ahead.findLast(({from}) => from <= place)?.by ?? 0);
  }
}
