// Sound of the microphone or of a file goes to the server; what it says of the call is shown, and the drawing
// moves towards each new face as exp(-time / time constant), as voxtoon.avatar.Morph does.

const byId = (id) => document.getElementById(id);
const token = location.hash.slice(1);
const MOST_SAMPLES = 1 << 17;
const REST = 0.002;

async function post(path, body) {
  const answer = await fetch(path, { method: "POST", body, headers: { "X-Voxtoon-Token": token } });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  throw new Error((await answer.json()).error);
}

function say(words) {
  byId("status").textContent = words;
}

// The drawing: each path is a list of letters with a list of numbers, and one or two colours.

const NUMBER = /-?\d+(?:\.\d+)?/g;
const numbers = (d) => (d.match(NUMBER) ?? []).map(Number);
const colour = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const hex = (bytes) => "#" + bytes.map((byte) => Math.round(byte).toString(16).padStart(2, "0")).join("");

class Moving {
  constructor(path) {
    this.path = path;
    this.letters = path.getAttribute("d").split(NUMBER);
    this.now = this.read((name) => path.getAttribute(name));
    this.start = this.aim = this.now;
  }

  read(get) {
    const found = { d: numbers(get("d")) };
    for (const name of ["fill", "stroke"]) {
      const value = get(name);
      if (value && value.startsWith("#")) found[name] = colour(value);
    }
    return found;
  }

  towards(target) {
    this.start = this.now;
    this.aim = this.read((name) => target[name]);
  }

  show(way) {
    const between = (name) => this.aim[name].map((end, i) => this.start[name][i] + way * (end - this.start[name][i]));
    this.now = Object.fromEntries(Object.keys(this.aim).map((name) => [name, between(name)]));
    const places = this.now.d.map((number) => number.toFixed(1));
    this.path.setAttribute("d", this.letters.map((letters, i) => letters + (places[i] ?? "")).join(""));
    for (const name of ["fill", "stroke"]) {
      if (this.now[name]) this.path.setAttribute(name, hex(this.now[name]));
    }
  }
}

const drawing = new Map([...document.querySelectorAll("#avatar path")].map((path) => [path.id, new Moving(path)]));
let aimed = 0;
let timeConstant = 0.3;
let moving = false;

function aimAt(paths, constant) {
  for (const target of paths) drawing.get(target.id).towards(target);
  aimed = performance.now();
  timeConstant = constant;
  if (!moving) requestAnimationFrame(step);
  moving = true;
}

function step(time) {
  const rest = Math.exp(-Math.max(0, time - aimed) / 1000 / timeConstant);
  moving = rest >= REST;
  for (const path of drawing.values()) path.show(moving ? 1 - rest : 1);
  if (moving) requestAnimationFrame(step);
}

// What the server says.

const REASONS = {
  too_little_speech: "too little speech yet",
  not_speech: "this is no speech",
  unlike_training: "unlike the voices the model was trained on",
};

function show(event) {
  if (event.call !== call) return;
  if (event.heard_s !== undefined) byId("heard").textContent = `${event.heard_s.toFixed(1)} s`;
  if (event.speech_s !== undefined) byId("speech").textContent = `${event.speech_s.toFixed(1)} s`;
  if (!event.paths) return;
  byId("confidence").textContent = event.confidence.toFixed(2);
  byId("moved").textContent = event.angle_deg === null ? "\u2013" : `${event.angle_deg.toFixed(1)}\u00b0`;
  const words = [event.final ? "the call has ended" : event.state];
  if (REASONS[event.reason]) words.push(REASONS[event.reason]);
  if (event.narrowband) words.push("telephone sound");
  if (event.second_voice) words.push("somebody else was heard");
  say(words.join(", "));
  aimAt(event.paths, event.time_constant_s);
  document.body.dataset.updates = Number(document.body.dataset.updates) + 1;
}

async function follow() {
  const answer = await fetch("/api/events", { headers: { "X-Voxtoon-Token": token } });
  if (!answer.ok) throw new Error((await answer.json()).error);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("voxtoon has stopped");
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) show(JSON.parse(line));
  }
}

// What is heard: pieces queue up while one is on its way, so that they arrive in order.

let call = 0;
let pieces = [];
let sending = null;
let close = () => {};

function joined() {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const all = new Float32Array(Math.min(length, MOST_SAMPLES));
  let filled = 0;
  while (pieces.length && filled + pieces[0].length <= all.length) {
    all.set(pieces[0], filled);
    filled += pieces.shift().length;
  }
  return all.subarray(0, filled);
}

async function send() {
  while (pieces.length) await post(`/api/sound?call=${call}`, joined());
}

function hear(piece) {
  pieces.push(piece);
  sending ??= send().catch(failed).finally(() => { sending = null; });
}

function failed(error) {
  close();
  byId("stop").disabled = true;
  say(error.message);
}

async function begin(rate) {
  close();
  pieces = [];
  call = (await post(`/api/begin?rate=${rate}`)).call;
  byId("stop").disabled = false;
  say("listening");
}

async function end() {
  close();
  byId("stop").disabled = true;
  while (sending) await sending;
  await post(`/api/end?call=${call}`);
}

async function microphone() {
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const source = await navigator.mediaDevices.getUserMedia({ audio });
  const context = new AudioContext();
  await context.audioWorklet.addModule("/microphone.js");
  await begin(Math.round(context.sampleRate));
  const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
  tap.port.onmessage = ({ data }) => hear(data);
  context.createMediaStreamSource(source).connect(tap);
  close = () => {
    close = () => {};
    tap.port.onmessage = null;
    for (const track of source.getTracks()) track.stop();
    context.close();
  };
}

async function file(chosen) {
  const context = new OfflineAudioContext(1, 1, 48000);
  const samples = (await context.decodeAudioData(await chosen.arrayBuffer())).getChannelData(0);
  await begin(48000);
  const piece = 12000; // a quarter of a second, as fast as it would be spoken
  let at = 0;
  const timer = setInterval(() => {
    if (at >= samples.length) end().catch(failed);
    else hear(samples.slice(at, at + piece));
    at += piece;
  }, 250);
  close = () => {
    close = () => {};
    clearInterval(timer);
  };
}

byId("microphone").addEventListener("click", () => microphone().catch(failed));
byId("file").addEventListener("change", ({ target }) => {
  if (target.files.length) file(target.files[0]).catch(failed);
  target.value = "";
});
byId("stop").addEventListener("click", () => end().catch(failed));
follow().catch(failed);
document.body.dataset.updates = 0;
