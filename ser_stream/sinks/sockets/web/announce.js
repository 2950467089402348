// The one live region: a screen reader is told the newest state, once in 3 s at most.

const EVERY = 3000;

export class Announcer {
  constructor(region) {
    this.region = region;
    this.next = 0;
    this.waiting = "";
  }

  say(text) {
    if (text === this.waiting) return;
    this.waiting = text;
    if (this.timer) return;
    this.timer = setTimeout(() => this.speak(), Math.max(0, this.next - Date.now()));
  }

  speak() {
    this.timer = null;
    if (this.region.textContent === this.waiting) return;
    this.region.textContent = this.waiting;
    this.next = Date.now() + EVERY;
  }
}
