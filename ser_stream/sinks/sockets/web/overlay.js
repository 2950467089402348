// Drawn over the chart: emotions as spans, what was heard as a strip, marks as lines.

import {colour, ink} from "./palette.js";

export const ROOM = 44;                     // pixels above it for spans and strip
export const MARGIN = 74;                   // pixels beside it for words
const SPAN = [2, 24], STRIP = [30, 9];      // where they lie therein, and how high

export function ratio() { return window.devicePixelRatio || 1; }

function clipped(context, box, draw) {
  context.save();
  context.beginPath();
  context.rect(...box);
  context.clip();
  draw();
  context.restore();
}

export function drawSpans(plot, spans, style) {
  const {ctx, bbox} = plot, px = ratio(), top = bbox.top - ROOM * px;
  const [y, height] = SPAN.map((value) => value * px);
  clipped(ctx, [bbox.left, top, bbox.width, ROOM * px], () => {
    ctx.font = `600 ${12 * px}px ${style.font}`;
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    for (const {id, label, start, end} of spans) {
      const left = Math.max(plot.valToPos(start, "x", true), bbox.left);
      const right = Math.min(plot.valToPos(end, "x", true), bbox.left + bbox.width);
      if (right <= left) continue;
      ctx.fillStyle = colour(label);
      ctx.fillRect(left, top + y, right - left, height);
      ctx.strokeStyle = style.text;
      ctx.lineWidth = px;
      if (right - left > 3 * px) ctx.strokeRect(left + px / 2, top + y + px / 2,
        right - left - px, height - px);
      const words = fitting(ctx, label, id, right - left - 8 * px);
      if (!words) continue;
      ctx.fillStyle = ink(colour(label));
      ctx.fillText(words, left + 5 * px, top + y + height / 2 + px / 2);
    }
  });
}

// The word, or how it begins, matters more than the id, which the list has as well.
function fitting(ctx, label, id, room) {
  const words = [`${label} #${id}`, label];
  for (let length = label.length - 1; length > 1; length--)
    words.push(`${label.slice(0, length)}…`);
  return [...words, `#${id}`].find((text) => ctx.measureText(text).width < room);
}

// 0 no speech: empty; 1 speech: full; 2 uncertain: hatched; -1: nothing is known.
export function drawStates(plot, times, states, style) {
  const {ctx, bbox} = plot, px = ratio();
  const top = bbox.top - (ROOM - STRIP[0]) * px, height = STRIP[1] * px;
  clipped(ctx, [bbox.left, top, bbox.width, height], () => {
    ctx.strokeStyle = ctx.fillStyle = style.dim;
    ctx.lineWidth = px;
    for (let at = 0; at < times.length;) {
      const begin = at, state = states[at];
      while (at < times.length && states[at] === state) at++;
      const left = plot.valToPos(times[Math.max(0, begin - 1)], "x", true);
      const right = plot.valToPos(times[at - 1], "x", true);
      if (state === 1) ctx.fillRect(left, top, right - left, height);
      else if (state === 0)
        ctx.strokeRect(left, top + px / 2, right - left, height - px);
      else if (state === 2) hatch(ctx, left, right, top, height, px);
    }
  });
}

function hatch(ctx, left, right, top, height, px) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, right - left, height);
  ctx.clip();
  ctx.beginPath();
  for (let x = left - height; x < right; x += 4 * px) {
    ctx.moveTo(x, top + height);
    ctx.lineTo(x + height, top);
  }
  ctx.stroke();
  ctx.strokeRect(left, top + px / 2, right - left, height - px);
  ctx.restore();
}

export function drawMarks(plot, marks, style) {
  const {ctx, bbox} = plot, px = ratio();
  clipped(ctx, [bbox.left, bbox.top, bbox.width, bbox.height], () => {
    ctx.font = `${11 * px}px ${style.font}`;
    ctx.textBaseline = "middle";
    ctx.setLineDash([4 * px, 3 * px]);
    ctx.lineWidth = 1.5 * px;
    const free = [-Infinity, -Infinity, -Infinity];
    for (const {time, kind} of marks) {
      const x = plot.valToPos(time, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = style.text;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const width = ctx.measureText(kind).width + 8 * px;
      const flip = x + width > bbox.left + bbox.width, left = flip ? x - width : x;
      const row = free.findIndex((right) => right <= left);
      if (row < 0) continue;
      free[row] = left + width + 3 * px;
      const y = bbox.top + (12 + 19 * row) * px;
      ctx.fillStyle = style.page;
      ctx.fillRect(left, y - 8 * px, width, 16 * px);
      ctx.fillStyle = style.text;
      ctx.textAlign = "left";
      ctx.fillText(kind, left + 4 * px, y);
    }
  });
}

// The words of the areas, beside the newest of them.
export function drawWords(plot, labels, style) {
  const {ctx, bbox, data} = plot, px = ratio(), at = data[0].length - 1;
  if (at < 0 || data[1]?.[at] == null) return;
  const x = bbox.left + bbox.width;
  ctx.save();
  ctx.font = `${12 * px}px ${style.font}`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  labels.forEach((label, row) => {
    const high = plot.valToPos(data[row + 1][at], "y", true);
    const low = row ? plot.valToPos(data[row][at], "y", true) : bbox.top + bbox.height;
    if (low - high < 14 * px) return;
    ctx.fillStyle = colour(label);
    ctx.fillRect(x + 2 * px, high, 4 * px, low - high);
    ctx.fillStyle = style.text;
    ctx.fillText(label, x + 10 * px, (low + high) / 2, (MARGIN - 12) * px);
  });
  ctx.restore();
}
