// Sends the microphone over a WebSocket, and shows what comes back. No build step.

const at = (id) => document.getElementById(id);
const MOST_EVENTS = 20;
// Bytes that may wait for the network; what is newer is left out, so that we stay live.
const MOST_WAITING = 1 << 18;
let sending = null;
let refused = null;

at("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  if (sending) {
    stop();
  } else {
    start().catch((error) => show(`${error.name}: ${error.message}`));
  }
});

// Before this, a press would be lost.
at("toggle").disabled = false;
show("Not sending.");

async function start() {
  show("Asking for the microphone ...");
  const stream = await navigator.mediaDevices.getUserMedia({
    // What telephones do to a voice changes what is heard in it.
    audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  });
  const context = new AudioContext();
  await context.audioWorklet.addModule("capture.js");
  const capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
  context.createMediaStreamSource(stream).connect(capture);

  const address = new URL("./", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  sending = { stream, context, socket };
  at("toggle").textContent = "Stop";

  socket.onopen = () => {
    const token = at("token").value;
    if (token) {
      socket.send(JSON.stringify({ type: "auth", token }));
    }
    socket.send(JSON.stringify({ type: "open", rate: context.sampleRate, encoding: "s16", name: "browser" }));
  };
  socket.onmessage = ({ data }) => take(JSON.parse(data));
  socket.onclose = () => {
    if (sending?.socket === socket) {
      release();
      show("The server closed the connection.");
    }
  };
  capture.port.onmessage = ({ data }) => {
    if (socket.readyState === WebSocket.OPEN && sending?.greeted && socket.bufferedAmount < MOST_WAITING) {
      socket.send(Int16Array.from(data, (sample) => Math.max(-1, Math.min(1, sample)) * 32767));
    }
  };
}

function stop() {
  const { socket } = sending;
  if (socket.readyState === WebSocket.OPEN && sending.greeted) {
    socket.send(JSON.stringify({ type: "end" }));
  } else {
    socket.close();
  }
  release();
  show("Not sending.");
}

function release() {
  for (const track of sending.stream.getTracks()) {
    track.stop();
  }
  sending.context.close();
  sending = null;
  at("toggle").textContent = "Start";
}

function take(message) {
  if (message.type === "hello") {
    if (sending) {
      sending.greeted = true;
      show(`Sending; model ${message.model.name}.`);
    }
  } else if (message.type === "prediction") {
    showScores(message.scores ?? {});
  } else if (message.type === "emotion") {
    showEmotion(message);
  } else if (message.type === "reply" && !message.ok) {
    at("token-row").hidden &&= message.error.code !== "wrong_token";
    refused = message.error.text;
  } else if (message.type === "bye" && message.reason !== "end") {
    if (sending) {
      release();
    }
    show(`The server ended the stream: ${refused ?? message.reason}`);
    refused = null;
  }
}

function show(text) {
  at("state").textContent = text;
}

function showScores(scores) {
  at("scores").replaceChildren(
    ...Object.entries(scores).map(([label, score]) => {
      const row = document.createElement("tr");
      const meter = document.createElement("meter");
      meter.value = score;
      row.insertCell().textContent = label;
      row.insertCell().append(meter);
      row.insertCell().textContent = score.toFixed(2);
      return row;
    }),
  );
}

function showEmotion({ phase, label, start_ms: start }) {
  at("emotion").textContent = phase === "end" ? "" : label;
  if (phase === "start") {
    const line = document.createElement("li");
    line.textContent = `${(start / 1000).toFixed(1)} s: ${label}`;
    at("events").prepend(line);
    while (at("events").children.length > MOST_EVENTS) {
      at("events").lastChild.remove();
    }
  }
}
