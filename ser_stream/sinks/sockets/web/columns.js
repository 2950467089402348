// Steps of a view -> columns that a screen can hold: stacked scores, what was heard.

import {NO_SPEECH, UNCERTAIN} from "./steps.js";

// Where many steps share a column, its scores are their mean over those with speech.
export function columns(steps, labels, from, to, most) {
  const first = Math.max(0, steps.find(from) - 1);
  const last = Math.min(steps.count, steps.find(to) + 1);
  const {time, gap, state} = steps.columns;
  const wide = last - first > most ? (to - from) / most : 0;
  const scores = labels.map((label) => steps.scores.get(label));
  const times = [], states = [], rows = labels.map(() => []);
  for (let at = first; at < last;) {
    const bin = Math.floor(time[at] / wide);
    let end = at + 1;
    if (wide) while (end < last && Math.floor(time[end] / wide) === bin) end++;
    if (at > first && gap[at]) put(time[at - 1] + 0.001, null);
    put(wide ? (bin + 0.5) * wide : time[at], [at, end]);
    at = end;
  }
  return {data: [times, ...rows], states};

  function put(moment, range) {
    // uPlot wants times that rise.
    times.push(Math.max(moment, (times.at(-1) ?? -Infinity) + 1e-6));
    let speech = 0, unsure = 0;
    if (range) for (let at = range[0]; at < range[1]; at++) {
      speech += state[at] !== NO_SPEECH;
      unsure += state[at] === UNCERTAIN;
    }
    states.push(range === null ? -1 : 2 * speech <= range[1] - range[0] && wide
      || !speech ? 0 : 2 * unsure > speech ? 2 : 1);
    let sum = 0;
    for (let row = 0; row < rows.length; row++) {
      let mean = 0;
      if (speech && scores[row])
        for (let at = range[0]; at < range[1]; at++)
          if (state[at] !== NO_SPEECH) mean += (scores[row][at] || 0) / speech;
      sum += mean;
      rows[row].push(speech ? sum : null);
    }
  }
}
