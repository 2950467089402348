// The WebSocket: token, the past, and connecting again.

import {parse} from "./message.js";

const LONGEST_WAIT = 10000, HEALTH_EVERY = 5000, TOKEN = "ser-stream token";

// Beside this page, whatever path a proxy has given it; the token is in no address.
function address() {
  const url = new URL("./", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = url.hash = "";
  return url.href;
}

function stored(value) {                    // storage may be forbidden
  try {
    if (value !== undefined) sessionStorage.setItem(TOKEN, value);
    return sessionStorage.getItem(TOKEN);
  } catch { return value ?? null; }
}

export class Connection {
  // `on` has show(text, open), ask(), begun(), message(message), and sources(): what
  // to ask for, or null.
  constructor(on) {
    this.on = on;
    this.wait = 500;
    this.token = stored();
    setInterval(() => this.say({type: "health", id: "health"}), HEALTH_EVERY);
  }

  say(request) {
    if (this.socket?.greeted && this.socket.readyState === WebSocket.OPEN)
      this.socket.send(JSON.stringify(request));
  }

  useToken(token) {
    this.token = stored(token) ?? token;
    this.again();
  }

  again() {
    const old = this.socket;
    this.open();
    old?.close();
  }

  open() {
    clearTimeout(this.retry);
    this.reason = "";
    this.on.show(`connecting to ${address()}`, false);
    this.on.begun();
    let socket;
    try { socket = new WebSocket(address()); }
    catch (error) { this.on.show(String(error), false); return; }
    this.socket = socket;
    socket.onopen = () => {
      if (this.token) socket.send(JSON.stringify({type: "auth", token: this.token}));
      // Where a token is needed, nothing comes before it.
      else setTimeout(() => {
        if (socket === this.socket && !socket.greeted && socket.readyState === 1)
          this.on.ask();
      }, 1000);
    };
    socket.onmessage = ({data}) => {
      if (socket === this.socket) this.take(socket, parse(data));
    };
    socket.onclose = () => { if (socket === this.socket) this.closed(); };
  }

  take(socket, message) {
    if (message === null) return;
    if (message.type === "reply" && !message.ok) this.reason = message.error.code;
    if (message.type === "bye") this.reason ||= message.reason;
    this.on.message(message);
    if (message.type === "hello" && !socket.greeted) {
      socket.greeted = true;
      this.wait = 500;
      const sources = this.on.sources();
      if (sources) this.say({type: "subscribe", id: "subscribe", sources});
      this.say({type: "history", id: "history", last_s: 3600});
      this.say({type: "health", id: "health"});
    }
  }

  closed() {
    if (this.reason === "wrong_token") {
      this.on.show("the token is not right", false);
      this.on.ask();
      return;
    }
    const seconds = Math.ceil(this.wait / 1000);
    const why = this.reason && `: ${this.reason}`;
    this.on.show(`not connected${why}; trying again in ${seconds} s`, false);
    const spread = 0.75 + Math.random() / 2;
    this.retry = setTimeout(() => this.open(), this.wait * spread);
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
  }
}
