// The one live region: a screen reader is told the newest state, once in 3 s at most.

const EVERY = 3000;

export class Announcer {
  constructor(region) {
    this.region = region;
    this.next = -Infinity;
    this.waiting = "";
  }

  say(text) {
    if (text === this.waiting) return;
    this.waiting = text;
    if (this.timer) return;
    const wait = this.next - performance.now();
    if (wait <= 0) this.speak();            // with what else is drawn now
    else this.timer = setTimeout(() => this.speak(), wait);
  }

  speak() {
    this.timer = null;
    if (this.region.textContent === this.waiting) return;
    this.region.textContent = this.waiting;
    this.next = performance.now() + EVERY;
  }
}
