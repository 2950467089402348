// Buttons and keys of the timeline.

import {LONGEST, SHORTEST} from "./view.js";

const $ = (id) => document.getElementById(id);

export function bindControls(past, view) {
  const newest = () => past.newest;
  // Of what is known, for before it there is nothing to see.
  const beginning = () => Math.max(newest() - LONGEST,
    past.steps.count ? past.steps.columns.time[0] : 0);
  const act = {
    earlier: () => view.move(-0.25, newest()), later: () => view.move(0.25, newest()),
    closer: () => view.zoom(0.5, newest()), wider: () => view.zoom(2, newest()),
    pause: () => view.pause(newest()),
  };
  for (const [id, call] of Object.entries(act)) $(id).addEventListener("click", call);
  for (const button of $("spans").children)
    button.addEventListener("click",
      () => view.set(Number(button.dataset.span), view.end));
  const keys = {
    ArrowLeft: act.earlier, ArrowRight: act.later, "+": act.closer, "=": act.closer,
    "-": act.wider, " ": act.pause,
    Home: () => view.set(view.span, beginning() + view.span),
    End: () => view.set(view.span, null),
  };
  $("chart").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    keys[event.key]();
  });
  $("chart").addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return;   // else the page scrolls
    event.preventDefault();
    view.zoom(event.deltaY + event.deltaX > 0 ? 1.25 : 0.8, newest());
  }, {passive: false});
}

export function showControls(view) {
  for (const button of $("spans").children)
    button.ariaPressed = String(Number(button.dataset.span) === view.span);
  $("pause").setAttribute("aria-pressed", String(!view.live));
  $("pause").textContent = view.live ? "Pause" : "Live";
  $("closer").disabled = view.span <= SHORTEST;
  $("wider").disabled = view.span >= LONGEST;
}
