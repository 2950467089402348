// All that was told of the stream: steps, emotions, marks, and how things stand.

import {Steps} from "./steps.js";

const MOST = 4000, KEPT_S = 3600;
const CLIPS = -0.1, CLIP_HELD_MS = 2000;    // dBFS of a peak that is cut

export class Past {
  constructor() {
    this.steps = new Steps();
    this.hello = null;
    this.clear();
  }

  clear() {
    this.steps.clear();
    this.spans = [];                        // emotions, in the order of their starts
    this.marks = [];
    this.steady = null;                     // the emotion that goes on
    this.last = null;                       // the newest prediction
    this.clippedMs = null;                  // where the last step with a cut peak ends
    this.newest = 0;                        // seconds since 1970
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

  // Time never runs back in a chart, though a clock may be set.
  moment(message) {
    this.newest = Math.max(this.newest, Date.parse(message.time) / 1000);
    return this.newest;
  }

  take(message) {
    if (Object.hasOwn(TAKERS, message.type)) TAKERS[message.type](this, message);
  }

  mark(time, kind, text) {
    this.marks.push({time, kind, text});
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
    const time = past.moment(message), step = past.hello?.audio.step_ms ?? 0;
    const jump = past.last ? message.end_ms - past.last.end_ms : 0;
    const missing = jump - Math.max(step, past.lastJump);
    const gap = past.last !== null && missing > 0.5 * Math.max(step, past.lastJump);
    if (gap) {
      past.lost.gaps++;
      past.lost.seconds += (jump - step) / 1000;
      past.mark(time, "gap", `gap of ${((jump - step) / 1000).toFixed(1)} s`);
    } else if (past.last) past.lastJump = jump;
    past.steps.add(message, time, gap);
    past.last = message;
    if (message.peak_dbfs >= CLIPS) past.clippedMs = message.end_ms;
  },
  emotion(past, message) {
    past.moment(message);
    // Not the newest: the end of an emotion is known only a while after it.
    const time = Date.parse(message.time) / 1000, {id, label, confidence} = message;
    const start = time - (message.end_ms - message.start_ms) / 1000;
    let span = past.spans.at(-1);
    if (span?.id !== id) {
      past.spans.push(span = {id, label, start});
      if (past.spans.length > MOST) past.spans.splice(0, MOST / 4);
      while (past.spans[0].end < time - KEPT_S) past.spans.shift();
    }
    span.end = time;
    span.open = message.phase !== "end";
    span.confidence = confidence;
    if (span.open) past.steady = {id, label, confidence,
      startMs: message.start_ms, endMs: message.end_ms};
    else if (past.steady?.id === id) past.steady = null;
    if (!span.open && past.joined?.id === id) past.joined = null;
  },
  status(past, {what, state, detail, ...message}) {
    const time = past.moment(message);
    if (what === "audio" && state !== "overflow") past.audioState = state;
    if (what === "overload") past.lost.skips++;
    const kind = what === "overload" ? "too slow"
      : what === "audio" && state === "overflow" ? "overflow" : `${what} ${state}`;
    past.mark(time, kind, `${what} ${state}: ${detail}`);
  },
  adaptation(past, {phase, reason, ...message}) {
    const word = phase.replaceAll("_", " ");
    const kind = `adaptation ${word}`;
    past.mark(past.moment(message), kind, `${kind}: ${reason}`);
  },
  dropped(past, {count}) {
    past.mark(past.newest, "dropped",
      `${count} predictions were left out: this page is slow`);
  },
};
