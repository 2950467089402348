// The area between one row of stacked scores and the row below, as uPlot asks for it.
// A polygon of its own: uPlot's bands clip, which costs several times as much.

export function area(plot, row, first, last) {
  const times = plot.data[0], upper = plot.data[row];
  const lower = row > 1 ? plot.data[row - 1] : null, fill = new Path2D();
  const x = (at) => Math.round(plot.valToPos(times[at], "x", true));
  const y = (share) => Math.round(plot.valToPos(share, "y", true));
  const floor = y(0);
  for (let at = first; at <= last;) {
    if (upper[at] === null) { at++; continue; }
    const begin = at;
    fill.moveTo(x(at), y(upper[at]));
    while (++at <= last && upper[at] !== null) fill.lineTo(x(at), y(upper[at]));
    for (let back = at - 1; back >= begin; back--)
      fill.lineTo(x(back), lower ? y(lower[back]) : floor);
    fill.closePath();
  }
  return {fill, stroke: null, flags: 0};
}
