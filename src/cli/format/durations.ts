/** Formats the two largest units: `0.4 s`, `12 s`, `5 min 12 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1).replace(/\.0$/, '')} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(whole, 60, 'min', 1, 's');
  if (whole < 86_400) return pair(whole, 3600, 'h', 60, 'min');
  return pair(whole, 86_400, 'd', 3600, 'h');
}

function pair(seconds: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((seconds % large) / small);
  const first = `${Math.floor(seconds / large)} ${largeName}`;
  return rest === 0 ? first : `${first} ${rest} ${smallName}`;
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Formats an instant in the reader's time zone: `Fri 25 Sep 2026 18:00`. */
export function formatInstant(instant: Date): string {
  const date = `${DAYS[instant.getDay()]} ${instant.getDate()} ${MONTHS[instant.getMonth()]} ${instant.getFullYear()}`;
  return `${date} ${formatClock(instant).slice(0, 5)}`;
}

const DAY_MS = 86_400_000;
/** Within this many days, the name of a weekday is unambiguous. */
const WEEKDAY_TELLS_FOR_DAYS = 6;

/** Formats an instant in the near future, in the reader's time zone: `14:31` today, `Fri 14:31` on another day, `2 Dec 14:31` a week away. */
export function formatSoon(instant: Date, now: Date): string {
  const time = formatClock(instant).slice(0, 5);
  if (instant.toDateString() === now.toDateString()) return time;
  if (instant.getTime() - now.getTime() < WEEKDAY_TELLS_FOR_DAYS * DAY_MS) return `${DAYS[instant.getDay()]} ${time}`;
  return `${instant.getDate()} ${MONTHS[instant.getMonth()]} ${time}`;
}

/** Formats the time of day in the reader's time zone: `14:02:10`. */
export function formatClock(instant: Date): string {
  return [instant.getHours(), instant.getMinutes(), instant.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
}
