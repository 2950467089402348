// How often to draw, in milliseconds: calmer where nobody touches anything. Here and
// wherever the page waits, by a clock that nobody can set.

const CALM_AFTER = 20000;
let touched = performance.now();

const touch = () => { touched = performance.now(); };
for (const kind of ["pointermove", "pointerdown", "keydown", "wheel", "focus"])
  addEventListener(kind, touch, {passive: true, capture: true});

const calm = () => performance.now() - touched > CALM_AFTER;

export const panel = () => calm() ? 1000 : 250;
export const chart = () => calm() ? 1000 : 480;
