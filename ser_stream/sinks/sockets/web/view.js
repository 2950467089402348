// Which stretch of time is shown: it follows what is live, or stands still.

export const SHORTEST = 5, LONGEST = 3600;

export class View {
  constructor(changed) {
    this.span = 60;
    this.end = null;                        // null: live
    this.changed = changed;
  }

  get live() { return this.end === null; }

  range(newest) {
    const end = this.end ?? newest;
    return [end - this.span, end];
  }

  set(span, end) {
    this.span = Math.min(LONGEST, Math.max(SHORTEST, span));
    this.end = end;
    this.changed();
  }

  pause(newest) { this.set(this.span, this.live ? newest : null); }

  zoom(factor, newest) {
    const [from, to] = this.range(newest), span = this.span * factor;
    this.set(span, this.live ? null : (from + to) / 2 + Math.min(LONGEST, span) / 2);
  }

  move(share, newest) {
    const end = (this.end ?? newest) + share * this.span;
    this.set(this.span, end >= newest ? null : Math.max(end, newest - LONGEST));
  }

  show(from, to) { this.set(to - from, to); }
}
