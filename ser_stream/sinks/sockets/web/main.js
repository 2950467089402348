// What a daemon hears, live and for the last hour. Whatever comes from outside is shown
// by textContent or drawn on a canvas, and so is never read as HTML.

import {Announcer} from "./announce.js";
import {Chart} from "./chart.js";
import {Connection} from "./connection.js";
import {bindControls, showControls} from "./controls.js";
import {Health} from "./health.js";
import {List} from "./list.js";
import {Now} from "./now.js";
import * as pace from "./pace.js";
import {Past} from "./past.js";
import {savePicture, saveTable} from "./save.js";
import {Sources} from "./sources.js";
import {View} from "./view.js";

const $ = (id) => document.getElementById(id);
const past = new Past(), now = new Now(), list = new List($("rows"));
const sources = new Sources($("source"), () => connection.again());
const announcer = new Announcer($("announce")), health = new Health($("facts"));
const drawn = {panel: -Infinity, chart: -Infinity, health: -Infinity};
let connected = false, told = null, pending = false, chartStale = true, untilSeq = null;
let waiting = null;                         // the timer of the next frame

const view = new View(() => {
  drawn.chart = drawn.panel = -Infinity;
  chartStale = true;
  // At once: what somebody asked for does not wait for what is due.
  if (waiting !== null) {
    clearTimeout(waiting);
    waiting = null;
    pending = false;
  }
  draw();
});
const chart = new Chart($("chart"), past, view);

// As often as somebody may want it, and not at all in a hidden tab: a frame costs.
function draw() {
  if (pending) return;
  pending = true;
  const wait = drawn.panel + pace.panel() - performance.now();
  waiting = setTimeout(() => { waiting = null; requestAnimationFrame(frame); },
    Math.max(0, wait));
}

function frame() {
  pending = false;
  drawn.panel = performance.now();
  if (untilSeq !== null) return;            // the past is still coming
  const said = now.draw(past, connected);
  list.draw();
  announcer.say(connected ? `${said.big}. ${said.why}` : $("state").textContent);
  drawChart();
}

// Not more often than it visibly moves.
function drawChart() {
  const every = Math.max(pace.chart(), 1000 * view.span / 300);
  const wait = drawn.chart + every - performance.now();
  if (!chartStale) return;
  if (wait > 0) {
    drawn.timer ??= setTimeout(() => { drawn.timer = null; draw(); }, wait);
    return;
  }
  chartStale = false;
  drawn.chart = performance.now();
  chart.draw();
  showControls(view);
  if (drawn.chart - drawn.health > 1000) {
    health.draw(past, told);
    drawn.health = drawn.chart;
  }
}

function show(text, open) {
  connected = open;
  $("state").textContent = text;
  document.body.className = open ? "open" : "";
  // At once: what was is not to be taken for what is.
  now.draw(past, connected);
  draw();
}

function ask() { $("ask").hidden = false; $("token").focus(); }

function take(message) {
  if (!sources.takes(message)) return;
  const marks = past.marks.length, stream = past.hello?.stream;
  past.take(message);
  if (message.type === "hello") {
    $("ask").hidden = true;
    const {audio, model} = message;
    now.draw(past, true);
    show(`hearing ${audio.device || audio.source} with model ${model.name}`, true);
    if (stream !== message.stream) list.clear();
    drawn.health = -Infinity;
  } else if (message.type === "history") {
    list.clear();
    untilSeq = message.to_seq;
  } else if (message.type === "snapshot" && message.audio !== "healthy") {
    list.note(0, `audio: ${message.audio}`);
  } else if (message.type === "reply") {
    if (!message.ok) list.note(Date.now() / 1000, message.error.text);
    else if (message.id === "health") {
      told = message.result;
      drawn.health = -Infinity;
    }
  }
  list.take(message);
  if (untilSeq !== null) list.draw();       // of the past, only how it ended is to be seen
  for (const mark of past.marks.slice(Math.min(marks, past.marks.length)))
    list.note(mark.wall, mark.text);
  if (untilSeq !== null && message.seq >= untilSeq) untilSeq = null;
  chartStale = true;
  draw();
}

const connection = new Connection({
  show: (text, open) => { untilSeq = null; show(text, open); },
  ask, message: take,
  begun: () => sources.begin(), sources: () => sources.wanted,
});
$("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = $("token").value;
  $("token").value = "";
  $("ask").hidden = true;
  connection.useToken(token);
});
bindControls(past, view);
$("png").addEventListener("click", () => {
  if (chart.plot) savePicture(past, view, chart);
});
$("csv").addEventListener("click", () => saveTable(past, view));
connection.open();
