/** uPlot in a component. Loaded only where there is something to draw. */
import { useEffect, useRef } from 'react';
import UPlot from 'uplot';
import type { Series } from '../api/types';

const COLOURS = ['#1864ab', '#a61e4d', '#2b8a3e', '#862e9c', '#d9480f', '#0b7285'];

/** Series as uPlot takes them: one list of times, and of each series a value or nothing. */
export function align(series: Series[]): UPlot.AlignedData {
  const times = [...new Set(series.flatMap((one) => (one.values ?? []).map(([t]) => t)))];
  times.sort((a, b) => a - b);
  const columns = series.map((one) => {
    const known = new Map(one.values ?? []);
    return times.map((t) => {
      const value = known.get(t);
      return value === undefined ? null : Number(value);
    });
  });
  return [times, ...columns];
}

export default function Plot(props: {
  series: Series[];
  name: (metric: Record<string, string>) => string;
  show: (value: number) => string;
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(null);
  const { series, name, show } = props;
  const names = series.map((one) => name(one.metric)).join('\n');
  useEffect(() => {
    if (!place.current) return;
    const axis = { stroke: 'gray', grid: { stroke: 'rgba(128,128,128,0.2)' } };
    const options: UPlot.Options = {
      width: place.current.clientWidth || 400,
      height: 180,
      legend: { show: false },
      series: [
        {},
        ...names
          .split('\n')
          .map((label, n) => ({ label, stroke: COLOURS[n % COLOURS.length], width: 1.5 })),
      ],
      axes: [axis, { ...axis, size: 70, values: (_, ticks) => ticks.map(show) }],
    };
    const made = new UPlot(options, [[]], place.current);
    plot.current = made;
    return () => made.destroy();
    // Made again only when the lines are others; new values are set below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [names]);
  useEffect(() => {
    plot.current?.setData(align(series));
  }, [series, names]);
  return <div className="chart" ref={place} aria-hidden="true" />;
}
