// Times, sizes and counts in words, as the command line writes them.

export function duration(seconds) {
  if (seconds < 0.9995) return `${Math.round(Math.max(0, seconds) * 1000)} ms`;
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return two(whole, 60, "min", 1, "s");
  if (whole < 86400) return two(whole, 3600, "h", 60, "min");
  return two(whole, 86400, "d", 3600, "h");
}

function two(whole, large, largeName, small, smallName) {
  const rest = Math.floor((whole % large) / small);
  return `${Math.floor(whole / large)} ${largeName}` + (rest ? ` ${rest} ${smallName}` : "");
}

export function about(seconds) {
  const step = seconds < 60 ? 5 : seconds < 3600 ? 60 : 300;
  const rounded = Math.max(step, Math.ceil(seconds / step) * step);
  return rounded < 60 ? `about ${rounded} s left` : `about ${duration(rounded)} left`;
}

const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat([], { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });

export function clockTime(seconds) {
  return clock.format(new Date(seconds * 1000));
}

export function moment(seconds) {
  if (!seconds) return "";
  const when = new Date(seconds * 1000);
  return when.toDateString() === new Date().toDateString() ? clock.format(when) : day.format(when);
}

export function size(bytes) {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
  return bytes >= 1e3 ? `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB` : `${bytes} bytes`;
}

export function plural(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
