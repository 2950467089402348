// Lines of the daemon -> messages. What is not of the protocol's shape is left out:
// whatever stands between the daemon and this page may say anything.

const LONGEST = 1000, MOST_LABELS = 32;

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isText = (value) => typeof value === "string";
const cut = (text) => text.slice(0, LONGEST);
const isTime = (value) => isText(value) && Number.isFinite(Date.parse(value));
const isLabel = (value) => isText(value) && value.length > 0 && value.length <= 64;
const isName = (value) => isText(value) && value.length > 0 && value.length <= 80;
const isObject = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isScores(value) {
  if (value === null) return true;
  if (!isObject(value)) return false;
  const entries = Object.entries(value);
  return entries.length <= MOST_LABELS && entries.every(
    ([label, score]) => isLabel(label) && isNumber(score) && score >= 0 && score <= 1);
}

const CHECKS = {
  hello: ({stream, model, audio}) => isText(stream) && isObject(model)
    && isObject(audio) && Array.isArray(model.labels)
    && model.labels.length <= MOST_LABELS && model.labels.every(isLabel)
    && [model.name, model.licence, audio.source, audio.device].every(isText)
    && isNumber(audio.step_ms),
  snapshot: ({emotion, audio, end_ms}) => isText(audio) && isNumber(end_ms)
    && (emotion === null
      || (isObject(emotion) && isLabel(emotion.label) && isNumber(emotion.id)
        && isNumber(emotion.start_ms))),
  prediction: (m) => isNumber(m.seq) && isNumber(m.end_ms) && isTime(m.time)
    && isNumber(m.level_dbfs) && isNumber(m.latency_ms)
    && (m.peak_dbfs === undefined || isNumber(m.peak_dbfs)) && isScores(m.scores)
    && (m.scores === null ? m.state === "no_speech"
      : isLabel(m.label) && isNumber(m.confidence)),
  emotion: (m) => isNumber(m.seq) && isNumber(m.id) && isLabel(m.label)
    && isNumber(m.start_ms) && isNumber(m.end_ms) && isTime(m.time)
    && isNumber(m.confidence) && ["start", "update", "end"].includes(m.phase),
  status: (m) => isNumber(m.seq) && isTime(m.time)
    && [m.what, m.state, m.detail].every(isText),
  adaptation: (m) => isNumber(m.seq) && isTime(m.time)
    && [m.phase, m.reason].every(isText),
  dropped: ({count, to_seq}) => isNumber(count) && isNumber(to_seq),
  history: ({to_seq}) => to_seq === null || isNumber(to_seq),
  reply: ({ok, result, error}) => ok === true ? isObject(result)
    : isObject(error) && isText(error.code) && isText(error.text),
  bye: ({reason}) => isText(reason),
};

function shortened(value) {
  if (isText(value)) return cut(value);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, shortened(inner)]));
}

// A message, or null.
export function parse(data) {
  let message;
  try { message = JSON.parse(data); } catch { return null; }
  if (!isObject(message) || !isText(message.type)) return null;
  if (!Object.hasOwn(CHECKS, message.type)) return null;
  if (!CHECKS[message.type](message)) return null;
  if (message.source !== undefined && !isName(message.source)) return null;
  return message.type === "prediction" ? message : shortened(message);
}
