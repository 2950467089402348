// All that was told of the stream: steps, emotions, marks, and how things stand.

import {duration} from "./format.js";
import {Steps} from "./steps.js";
import {Timeline} from "./timeline.js";

const MOST = 4000, KEPT_S = 3600;
const seconds = (time) => Date.parse(time) / 1000;
const CLIPS = -0.1, CLIP_HELD_MS = 2000;    // dBFS of a peak that is cut

export class Past {
  constructor() {
    this.steps = new Steps();
    this.timeline = new Timeline();
    this.hello = null;
    this.clear();
  }

  clear() {
    this.steps.clear();
    this.timeline.clear();
    this.spans = [];                        // emotions, in the order of their starts
    this.marks = [];
    this.loose = [];                        // marks since the last message with audio time
    this.steady = null;                     // the emotion that goes on
    this.last = null;                       // the newest prediction
    this.clippedMs = null;                  // where the last step with a cut peak ends
    this.newest = 0;                        // a place in the timeline, as all `time` here
    this.gap = null;
    this.lost = {gaps: 0, seconds: 0, skips: 0};
    this.lastJump = 0;
  }

  get labels() {
    const known = this.hello?.model.labels ?? [];
    return [...new Set([...known, ...this.steps.scores.keys()])];
  }

  // Whether peaks are cut, or were a moment ago; null where no peak is told.
  get clips() {
    if (this.last?.peak_dbfs === undefined) return null;
    return this.clippedMs !== null && this.last.end_ms - this.clippedMs <= CLIP_HELD_MS;
  }

  get audio() { return this.audioState ?? "healthy"; }

  // What the daemon's clock said at a place, seconds since 1970.
  wall(place) { return this.timeline.wall(place); }

  // Where a message with audio time stands.
  moment({end_ms, time}) {
    const wall = seconds(time), set = this.timeline.follow(end_ms, wall);
    const place = this.timeline.place(end_ms);
    if (set) {
      // What cannot be by the clock as it was is placed by the clock as it is.
      for (const {mark, after, placed} of this.loose)
        if (placed < after || placed > place) mark.time = Math.min(place,
          Math.max(after, this.timeline.placeOf(mark.wall)));
      this.newest = place;
      this.mark(place, wall, "clock set",
        `the daemon's clock was set ${set < 0 ? "back" : "forward"} by `
        + duration(Math.abs(set)));
    }
    if (end_ms === this.timeline.end) this.loose = [];
    this.newest = Math.max(this.newest, place);
    return place;
  }

  take(message) {
    if (Object.hasOwn(TAKERS, message.type)) TAKERS[message.type](this, message);
  }

  // Of a message without audio time: behind what came before.
  markLoose(time, kind, text) {
    const wall = seconds(time), after = this.newest;
    const placed = this.timeline.placeOf(wall);
    this.newest = Math.max(after, placed);
    this.mark(this.newest, wall, kind, text);
    this.loose.push({mark: this.marks.at(-1), after, placed});
  }

  mark(time, wall, kind, text) {
    this.marks.push({time, wall, kind, text});
    if (this.marks.length > MOST) this.marks.splice(0, MOST / 4);
  }
}

const TAKERS = {
  hello(past, message) {
    if (past.hello && past.hello.stream !== message.stream) past.clear();
    past.hello = message;
  },
  // Of now; what is told of the past comes behind it.
  snapshot(past, {emotion, audio}) {
    past.audioState = audio;
    past.joined = emotion && {id: emotion.id, label: emotion.label,
      startMs: emotion.start_ms, endMs: emotion.start_ms, confidence: null};
    past.steady = past.joined && {...past.joined};
  },
  history(past) {
    past.clear();
    past.steady = past.joined && {...past.joined};
  },
  prediction(past, message) {
    const step = past.hello?.audio.step_ms ?? 0, wall = seconds(message.time);
    const time = Math.max(past.moment(message), past.steps.newest);
    const jump = past.last ? message.end_ms - past.last.end_ms : 0;
    const missing = jump - Math.max(step, past.lastJump);
    const gap = past.last !== null && missing > 0.5 * Math.max(step, past.lastJump);
    if (gap) {
      past.lost.gaps++;
      past.lost.seconds += (jump - step) / 1000;
      past.mark(time, wall, "gap", `gap of ${((jump - step) / 1000).toFixed(1)} s`);
    } else if (past.last) past.lastJump = jump;
    past.steps.add(message, time, wall, gap);
    past.last = message;
    if (message.peak_dbfs >= CLIPS) past.clippedMs = message.end_ms;
  },
  emotion(past, message) {
    // Not the newest: the end of an emotion is known only a while after it.
    const time = past.moment(message), {id, label, confidence} = message;
    const lasts = (message.end_ms - message.start_ms) / 1000;
    const wall = seconds(message.time);
    let span = past.spans.at(-1);
    if (span?.id !== id) {
      past.spans.push(span = {id, label, start: time - lasts, startWall: wall - lasts,
        first: null, highest: 0});
      if (past.spans.length > MOST) past.spans.splice(0, MOST / 4);
      while (past.spans[0].end < time - KEPT_S) past.spans.shift();
    }
    span.end = time;
    span.endWall = wall;
    span.open = message.phase !== "end";
    if (message.phase === "start") span.first = confidence;
    span.highest = Math.max(span.highest, confidence);
    span.confidence = confidence;
    if (span.open) past.steady = {id, label, confidence,
      startMs: message.start_ms, endMs: message.end_ms};
    else if (past.steady?.id === id) past.steady = null;
    if (!span.open && past.joined?.id === id) past.joined = null;
  },
  status(past, {what, state, detail, time}) {
    if (what === "audio" && state !== "overflow") past.audioState = state;
    if (what === "overload") past.lost.skips++;
    const kind = what === "overload" ? "too slow"
      : what === "audio" && state === "overflow" ? "overflow" : `${what} ${state}`;
    past.markLoose(time, kind, `${what} ${state}: ${detail}`);
  },
  adaptation(past, {phase, reason, time}) {
    const word = phase.replaceAll("_", " ");
    const kind = `adaptation ${word}`;
    past.markLoose(time, kind, `${kind}: ${reason}`);
  },
  dropped(past, {count}) {
    past.mark(past.newest, past.wall(past.newest), "dropped",
      `${count} predictions were left out: this page is slow`);
  },
};
