/** Range queries, and how new what they answer really is. */
import { useQuery } from '@tanstack/react-query';
import { get, query } from '../api/client';
import type { Series } from '../api/types';

/** What is asked. */
export interface RangeQuestion {
  expr: string;
  minutes: number;
  /** The device whose reports make the answer another, if it is one's. */
  device?: string;
  /** The selector whose samples the answer is made of; without it nobody knows how old they are. */
  source?: string;
}

/** What came back: series within a span, and the instant of the newest sample in them. */
export interface RangeAnswer {
  series: Series[];
  /** Unix seconds. Of the newest sample; absent if there is none in the span or it is not known. */
  newest?: number;
  start: number;
  end: number;
  step: number;
}

/** How far apart the points of an answer lie, seconds. */
export const stepOf = (minutes: number) => Math.max(5, Math.round((minutes * 60) / 240));

/**
 * Leaves out the points after the newest sample: PromQL repeats the last value for five minutes,
 * which would draw a device that is gone as if it still reported.
 */
export function clipped(series: Series[], newest: number, step: number): Series[] {
  return series.map((one) => ({
    ...one,
    values: (one.values ?? []).filter(([at]) => at < newest + step),
  }));
}

/** The last value of the answer to `max(timestamp(…))`. */
export function newestOf(series: Series[]): number | undefined {
  const value = series[0]?.values?.at(-1)?.[1];
  return value === undefined ? undefined : Number(value);
}

/** Whether `expr` is nothing but a selector, so that its samples have instants of their own. */
export function isSelector(expr: string): boolean {
  const string = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;
  const plain = expr.trim().replaceAll(string, '""');
  return /^(?:[a-zA-Z_:][\w:]*\s*(?:\{[^{}]*\})?|\{[^{}]*\})$/.test(plain);
}

const ask = async (parameters: Record<string, string | number>) => {
  const path = `/prometheus/api/v1/query_range${query(parameters)}`;
  return (await get<{ data: { result: Series[] } }>(path)).data.result;
};

async function read({ expr, minutes, source }: RangeQuestion): Promise<RangeAnswer> {
  const end = Date.now() / 1000;
  const start = end - minutes * 60;
  const step = stepOf(minutes);
  const times = { start, end, step };
  const [series, instants] = await Promise.all([
    ask({ query: expr, ...times }),
    source === undefined ? [] : ask({ query: `max(timestamp(${source}))`, ...times }),
  ]);
  const newest = newestOf(instants);
  const honest = newest === undefined ? series : clipped(series, newest, step);
  return { series: honest, newest, start, end, step };
}

/** The answer for the last `minutes`, read again at least every ten seconds. */
export function useRange(question: RangeQuestion) {
  const { expr, minutes, device = '', source } = question;
  return useQuery({
    queryKey: ['range', device, expr, minutes, source],
    refetchInterval: 10_000,
    queryFn: () => read(question),
  });
}
