/** Values as people read them. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes with a binary unit. */
export function bytes(value: number): string {
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

/** A ratio as a percentage. */
export const percent = (ratio: number) => `${Math.round(ratio * 1000) / 10} %`;

/** A length of time in its largest unit that says something. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** How long ago. */
export function ago(at: string | null | undefined, nowMs: number): string {
  if (!at) return 'never';
  return `${duration(Math.max(0, (nowMs - Date.parse(at)) / 1000))} ago`;
}

/** How long until an instant. */
export function until(at: string, nowMs: number): string {
  const seconds = (Date.parse(at) - nowMs) / 1000;
  return seconds <= 0 ? 'ended' : `in ${duration(seconds)}`;
}

/** So many things: "1 device", "2 devices". */
export function count(many: number, one: string, more = `${one}s`): string {
  return `${many.toLocaleString('en')} ${many === 1 ? one : more}`;
}

const LARGE = ['', ' k', ' M', ' G', ' T', ' P'];

/** A number of any size in few characters: `22.42 G`; one that is not finite comes as text. */
export function number(value: number | string): string {
  if (typeof value === 'string' || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (value !== 0 && (size >= 1e18 || size < 1e-3)) return value.toExponential(3);
  if (size < 10_000) return String(Math.round(value * 1000) / 1000);
  const thousands = Math.floor(Math.log10(size) / 3);
  return `${Math.round(value / 10 ** (thousands * 3 - 2)) / 100}${LARGE[thousands]}`;
}

const two = (value: number) => String(value).padStart(2, '0');

/** The time of day of Unix seconds where the reader is, with the date if it must say which. */
export function clock(at: number, withDate = false): string {
  const date = new Date(at * 1000);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return withDate ? `${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}` : time;
}

/** An instant to the second where the reader is, in an order that sorts. */
export function instant(at: string): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${clock(date.getTime() / 1000, true)}:${two(date.getSeconds())}`;
}

/** An instant as a `datetime-local` field has it: to the minute, where the reader is. */
export function localTime(at: string | undefined): string {
  const date = new Date(at ?? '');
  if (Number.isNaN(date.getTime())) return '';
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The instant that a `datetime-local` field names, if it names one. */
export function timeOf(local: string): string | undefined {
  const date = new Date(local);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** A series' labels as PromQL writes them. */
export function labels(metric: Record<string, string>): string {
  const { __name__: name = '', ...rest } = metric;
  const pairs = Object.entries(rest).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return pairs.length === 0 && name !== '' ? name : `${name}{${pairs.join(', ')}}`;
}

/** A label value in a PromQL selector: nothing in it can end the string. */
export function quoted(value: string): string {
  return JSON.stringify(value);
}
