/** Lines over time, read again whenever a device has reported. */
import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { get, query } from '../api/client';
import type { Series } from '../api/types';
import { number } from '../format';
import { useNow } from '../live';
import { Problem } from './problem';

const Plot = lazy(() => import('./plot'));

/** The answer to a range query that ends now. */
export function useRange(expr: string, minutes: number, enabled = true) {
  return useQuery({
    queryKey: ['range', expr, minutes],
    enabled,
    refetchInterval: 10_000,
    placeholderData: (before) => before,
    queryFn: async () => {
      const end = Date.now() / 1000;
      const step = Math.max(5, Math.round((minutes * 60) / 240));
      const start = end - minutes * 60;
      const parameters = { query: expr, start, end, step };
      const answer = await get<{ data: { result: Series[] } }>(
        `/prometheus/api/v1/query_range${query(parameters)}`,
      );
      return answer.data.result;
    },
  });
}

/** The newest instant in the series, Unix seconds. */
export function newest(series: Series[]): number | undefined {
  const ends = series.map((one) => one.values?.at(-1)?.[0] ?? 0);
  return ends.length === 0 ? undefined : Math.max(...ends);
}

export function Chart(props: {
  title: string;
  expr: string;
  minutes?: number;
  name: (metric: Record<string, string>) => string;
  show?: (value: number) => string;
}) {
  const range = useRange(props.expr, props.minutes ?? 15);
  const now = useNow();
  const series = range.data ?? [];
  const last = newest(series);
  const show = props.show ?? number;
  return (
    <section aria-label={props.title}>
      <h3>{props.title}</h3>
      <Problem error={range.error} />
      {series.length === 0 ? (
        <p>{range.isPending ? 'Loading…' : 'No data yet.'}</p>
      ) : (
        <Suspense fallback={<div className="chart" />}>
          <Plot series={series} name={props.name} show={show} />
        </Suspense>
      )}
      <ul aria-label={`${props.title}, newest`}>
        {series.slice(0, 6).map((one) => (
          <li key={props.name(one.metric)}>
            {props.name(one.metric)}: {show(Number(one.values?.at(-1)?.[1] ?? NaN))}
          </li>
        ))}
      </ul>
      {last !== undefined && (
        <p data-age={Math.max(0, Math.round(now / 1000 - last))}>
          {Math.max(0, Math.round(now / 1000 - last))} s old
        </p>
      )}
    </section>
  );
}
