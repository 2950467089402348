// Colours of Okabe and Ito, which the colour-blind can tell apart; words stand beside.
// The same as in ser_stream/commands/colours.py.

const KNOWN = {
  angry: "#d55e00", anger: "#d55e00", sad: "#0072b2", sadness: "#0072b2",
  happy: "#f0e442", happiness: "#f0e442", joy: "#f0e442", fear: "#cc79a7",
  neutral: "#56b4e9", disgust: "#009e73", surprise: "#e69f00", calm: "#a3abb3",
  boredom: "#7a6a58",
};
const OTHERS = ["#009e73", "#56b4e9", "#f0e442", "#cc79a7", "#e69f00", "#0072b2"];

export function colour(label) {
  if (Object.hasOwn(KNOWN, label)) return KNOWN[label];
  let sum = 0;
  for (const letter of label) sum = (31 * sum + letter.codePointAt(0)) % 9973;
  return OTHERS[sum % OTHERS.length];
}

// Black or white, whichever is easier to read on a colour.
export function ink(hex) {
  const linear = [1, 3, 5].map((at) => {
    const share = parseInt(hex.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  return light > 0.179 ? "#000" : "#fff";
}
