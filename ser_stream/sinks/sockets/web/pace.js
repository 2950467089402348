// How often to draw, in milliseconds: calmer where nobody touches anything.

const CALM_AFTER = 20000;
let touched = Date.now();

const touch = () => { touched = Date.now(); };
for (const kind of ["pointermove", "pointerdown", "keydown", "wheel", "focus"])
  addEventListener(kind, touch, {passive: true, capture: true});

const calm = () => Date.now() - touched > CALM_AFTER;

export const panel = () => calm() ? 1000 : 250;
export const chart = () => calm() ? 1000 : 480;
