// Numbers and times as words; local time, 24 hours.

export const percent = (share) => `${Math.round(100 * share)} %`;

export function duration(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

const two = (number) => String(number).padStart(2, "0");

// Seconds since 1970 -> 13:04:05.
export function clock(seconds) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return "";
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
}

export const decibels = (level) => `${level.toFixed(1).replace("-", "−")} dBFS`;
