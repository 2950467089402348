// Scores of all classes over time, stacked, by uPlot.

import {area} from "./area.js";
import {columns} from "./columns.js";
import {clock, duration} from "./format.js";
import {drawMarks, drawSpans, drawStates, drawWords, MARGIN, ROOM} from "./overlay.js";
import {colour} from "./palette.js";

const HEIGHT = 360, NARROW = 500;

function styleOf(element) {
  const style = getComputedStyle(element);
  return {font: style.fontFamily, text: style.color,
    dim: style.getPropertyValue("--dim").trim(),
    line: style.getPropertyValue("--line").trim(),
    page: style.getPropertyValue("--page").trim()};
}

export class Chart {
  constructor(element, past, view) {
    this.element = element;
    this.past = past;
    this.view = view;
    this.labels = [];
    this.states = [];
    // Asked for while text has just changed, it would cost a layout of its own.
    new ResizeObserver(() => {
      this.width = element.clientWidth;
      if (this.plot && this.plot.width !== this.width)
        this.plot.setSize({width: this.width, height: HEIGHT});
    }).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.forget();
      view.changed();
    });
  }

  forget() { this.plot = this.plot?.destroy(); }

  draw() {
    const {past, view} = this;
    // From the bottom: the first label is the highest, as in the list of the bars.
    const labels = past.labels.toReversed();
    if (labels.join("\n") !== this.labels.join("\n")) this.forget();
    this.labels = labels;
    const [from, to] = view.range(past.newest);
    if (!past.newest) return this.describe(from, to);   // there is no time to show
    const width = this.width ??= this.element.clientWidth;
    const shown = columns(past.steps, labels, from, to, Math.max(60, width >> 1));
    this.states = shown.states;
    this.plot ??= this.make(width, shown.data);
    this.plot.batch(() => {
      this.plot.setData(shown.data, false);
      this.plot.setScale("x", {min: from, max: to});
    });
    this.describe(from, to);
  }

  describe(from, to) {
    const {past, view} = this;
    const spans = past.spans.filter(({start, end}) => end >= from && start <= to);
    const marks = past.marks.filter(({time}) => time >= from && time <= to);
    const text = !past.newest ? "Nothing was heard yet."
      : `${view.live ? "Live" : "Standing still"}: ${duration(view.span)}, `
        + `${clock(past.wall(from))} to ${clock(past.wall(to))}; `
        + `emotions: ${spans.length}; marks: ${marks.length}.`;
    const says = document.getElementById("chart-says");
    if (says.textContent !== text) says.textContent = text;
  }

  make(width, data) {
    const style = this.style = styleOf(this.element), {labels} = this;
    const axis = {stroke: style.text, font: `12px ${style.font}`,
      grid: {stroke: style.line, width: 1}, ticks: {stroke: style.line, width: 1}};
    const options = {
      width, height: HEIGHT, legend: {show: false},
      padding: [ROOM, (plot) => (plot.width < NARROW ? 8 : MARGIN), 0, 0],
      cursor: {y: false, points: {show: false},
        drag: {x: true, y: false, setScale: false}},
      scales: {x: {time: true, auto: false}, y: {range: [0, 1]}},
      axes: [
        {...axis, space: 84, values: (_, splits) => splits.map(
          (time) => clock(this.past.wall(time)))},
        {...axis, size: 52, values: (_, splits) => splits.map(
          (share) => `${Math.round(100 * share)} %`)},
      ],
      series: [{}, ...labels.map((label) => ({label, fill: colour(label), width: 0,
        paths: area, points: {show: false}}))],
      hooks: {
        draw: [(plot) => {
          drawSpans(plot, this.past.spans, style);
          drawStates(plot, plot.data[0], this.states, style);
          if (plot.width >= NARROW) drawWords(plot, this.labels, style);
          drawMarks(plot, this.past.marks, style);
        }],
        setSelect: [(plot) => this.select(plot)],
      },
    };
    return new uPlot(options, data, this.element);
  }

  select(plot) {
    const {left, width} = plot.select;
    if (width < 8) return;
    const [from, to] = [left, left + width].map((x) => plot.posToVal(x, "x"));
    plot.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
    this.view.show(from, to);
  }
}
