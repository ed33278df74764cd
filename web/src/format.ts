/** How numbers and moments are written: three figures, thin units, the reader's own zone. */

const INTEGER = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export function integer(value: number): string {
  return INTEGER.format(value);
}

/** Three significant figures, as the console has them: 0.415, 1.74, 21.0, 904, 1,204. */
export function figures(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 99.95) return integer(value);
  if (size >= 9.995) return value.toFixed(1);
  if (size >= 0.9995) return value.toFixed(2);
  return value.toFixed(3);
}

/** A time in ms; columns and axes name the unit. */
export function ms(us: number): string {
  return figures(us / 1000);
}

/** A time with its unit, for places without a head that names it. */
export function time(us: number): string {
  if (us >= 100_000_000) return `${integer(us / 1e6)} s`;
  return us >= 10_000_000 ? `${figures(us / 1e6)} s` : `${ms(us)} ms`;
}

/** A rate: two decimals below ten, one below a hundred. */
export function rate(perSecond: number): string {
  if (perSecond === 0) return "0";
  if (perSecond >= 99.95) return integer(perSecond);
  return perSecond >= 9.995 ? perSecond.toFixed(1) : perSecond.toFixed(2);
}

export function share(part: number, whole: number): string {
  if (whole === 0 || part === 0) return "0 %";
  const percent = (part / whole) * 100;
  if (percent >= 99.95 && part < whole) return "99.9 %";
  if (percent < 0.01) return "< 0.01 %";
  return `${percent >= 9.995 ? percent.toFixed(1) : percent.toFixed(2)} %`;
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [size, unit] = [value, 0];
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 ? integer(size) : figures(size)} ${units[unit]}`;
}

/** Seconds of a run: 02:14, or 1:02:14. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = `${pad(minutes)}:${pad(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
}

const TIME = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const ZONE = new Intl.DateTimeFormat("en-US", { timeZoneName: "shortOffset" });

/** A wall-clock time in the reader's zone: 12:06:25. */
export function localTime(us: number): string {
  return TIME.format(us / 1000);
}

/** Date, time and zone. */
export function moment(us: number): string {
  return MOMENT.format(us / 1000);
}

/** The zone that local times are in, as UTC+9. */
export function zone(us: number): string {
  const name = ZONE.formatToParts(us / 1000).find((part) => part.type === "timeZoneName");
  return (name?.value ?? "UTC").replace("GMT", "UTC");
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${integer(count)} ${count === 1 ? one : many}`;
}

/** A path or URL without what everybody knows of it. */
export function shortPath(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
