// The view as a picture, and as a table.

import {clock} from "./format.js";
import {colour} from "./palette.js";

const STATES = ["no_speech", "speech", "speech"];

function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

function name(past, from, to, ending) {
  const text = (time) => new Date(past.wall(time) * 1000).toISOString().slice(0, 19);
  return `ser-stream ${text(from)} ${text(to)}.${ending}`.replaceAll(":", "-");
}

// A cell of CSV; a spreadsheet must not take what a device is called for a formula.
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function table(past, from, to) {
  const {steps, spans, marks, labels} = past, c = steps.columns;
  const head = ["type", "time", "end_ms", "seq", "state", "label", "confidence",
    "level_dbfs", "peak_dbfs", "latency_ms", "id", "end_time", "text", ...labels,
    "first_confidence", "highest_confidence"];
  const utc = (time) => new Date(Math.round(time * 1000)).toISOString();
  const fixed = (value, digits) =>
    Number.isNaN(value) ? null : Number(value.toFixed(digits));
  const rows = [];
  for (let at = steps.find(from); at < steps.count && c.time[at] <= to; at++)
    rows.push([c.time[at], ["prediction", utc(c.wall[at]), c.end[at], c.seq[at],
      STATES[c.state[at]], steps.labels[c.label[at]] ?? null,
      fixed(c.confidence[at], 4), fixed(c.level[at], 1), fixed(c.peak[at], 1),
      fixed(c.latency[at], 1), null, null, null,
      ...labels.map((label) => fixed(steps.scores.get(label)?.[at] ?? NaN, 4)),
      null, null]]);
  const blank = labels.map(() => null);
  for (const {id, label, start, end, confidence, ...span} of spans)
    if (end >= from && start <= to)
      rows.push([start, ["emotion", utc(span.startWall), null, null, null, label,
        confidence, null, null, null, id, utc(span.endWall), null, ...blank,
        span.first, span.highest]]);
  for (const {time, wall, kind, text} of marks)
    if (time >= from && time <= to)
      rows.push([time, [kind, utc(wall), null, null, null, null, null, null, null,
        null, null, null, text, ...blank, null, null]]);
  rows.sort((a, b) => a[0] - b[0]);
  return [head, ...rows.map(([, row]) => row)]
    .map((row) => row.map(cell).join(",") + "\r\n").join("");
}

export function saveTable(past, view) {
  const [from, to] = view.range(past.newest);
  const blob = new Blob([table(past, from, to)], {type: "text/csv"});
  download(blob, name(past, from, to, "csv"));
}

// The chart with what it is of and the words of its colours.
export function picture(past, view, chart) {
  const source = chart.plot.ctx.canvas, px = window.devicePixelRatio || 1;
  const canvas = document.createElement("canvas"), foot = 34 * px, head = 34 * px;
  canvas.width = source.width;
  canvas.height = source.height + head + foot;
  const context = canvas.getContext("2d"), {style} = chart;
  const [from, to] = view.range(past.newest), {hello} = past;
  context.fillStyle = style.page;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(source, 0, head);
  context.textBaseline = "middle";
  context.fillStyle = style.text;
  context.font = `600 ${14 * px}px ${style.font}`;
  const day = new Date(past.wall(to) * 1000).toLocaleDateString();
  context.fillText(`ser-stream: ${hello?.audio.device || hello?.audio.source || ""}, `
    + `model ${hello?.model.name ?? ""}, ${day} `
    + `${clock(past.wall(from))} to ${clock(past.wall(to))}`,
    12 * px, head / 2, canvas.width - 24 * px);
  context.font = `${13 * px}px ${style.font}`;
  let x = 12 * px;
  for (const label of past.labels) {
    const y = head + source.height + foot / 2;
    context.fillStyle = colour(label);
    context.fillRect(x, y - 7 * px, 14 * px, 14 * px);
    context.fillStyle = style.text;
    context.fillText(label, x + 20 * px, y);
    x += context.measureText(label).width + 40 * px;
  }
  return canvas;
}

export function savePicture(past, view, chart) {
  const [from, to] = view.range(past.newest);
  picture(past, view, chart).toBlob((blob) => download(blob, name(past, from, to, "png")));
}
