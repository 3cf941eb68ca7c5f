/** uPlot in a component. Loaded only where there is something to draw. */
import { useEffect, useEffectEvent, useRef } from 'react';
import UPlot from 'uplot';
import type { Series } from '../api/types';
import { clock } from '../format';
import type { RangeAnswer } from './range';
import type { Unit } from './units';

const HEIGHT = 150;
const DAY_S = 86_400;

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

/** The ends of the value axis: from zero, so that a small change does not look like a large one. */
export function limits(unit: Unit, min: number | null, max: number | null): [number, number] {
  const top = unit.most ?? (max !== null && max > 0 ? max * 1.08 : 1);
  return [Math.min(0, min ?? 0), Math.max(top, max ?? top)];
}

interface Draw {
  place: HTMLDivElement;
  names: string[];
  unit: Unit;
  span: () => [number, number];
  onPoint: (at: number | undefined) => void;
}

function draw({ place, names, unit, span, onPoint }: Draw): UPlot {
  // The canvas knows no style sheets, so it is told what they say for this scheme.
  const style = getComputedStyle(place);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--axis'),
    grid: { stroke: colour('--grid'), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`,
  };
  const long = () => span()[1] - span()[0] > DAY_S;
  return new UPlot(
    {
      width: place.clientWidth || 400,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { setScale: false } },
      scales: {
        x: { time: true, range: span },
        y: { range: (_, min, max) => limits(unit, min, max) },
      },
      series: [
        {},
        ...names.map((label, n) => ({ label, stroke: colour(`--line-${n}`), width: 1.5 })),
      ],
      axes: [
        { ...axis, space: 70, size: 26, values: (_, at) => at.map((t) => clock(t, long())) },
        {
          ...axis,
          size: 68,
          space: 26,
          ...(unit.steps && { incrs: unit.steps }),
          values: (_, ticks) => ticks.map(unit.show),
        },
      ],
      hooks: {
        setCursor: [
          (plot) => onPoint(plot.cursor.idx == null ? undefined : plot.data[0][plot.cursor.idx]),
        ],
      },
    },
    [[]],
    place,
  );
}

export default function Plot(props: {
  answer: RangeAnswer;
  names: string[];
  unit: Unit;
  onPoint: (at: number | undefined) => void;
}) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(null);
  const { answer, names, unit } = props;
  const span = useEffectEvent((): [number, number] => [answer.start, answer.end]);
  const onPoint = useEffectEvent((at: number | undefined) => props.onPoint(at));
  const lines = JSON.stringify(names);
  useEffect(() => {
    const here = place.current;
    if (!here) return;
    // Made again only when the lines are others; new values are set below.
    const labels = JSON.parse(lines) as string[];
    const made = draw({
      place: here,
      names: labels,
      unit,
      span: () => span(),
      onPoint: (at) => onPoint(at),
    });
    plot.current = made;
    const watch = new ResizeObserver(() => {
      if (here.clientWidth > 0) made.setSize({ width: here.clientWidth, height: HEIGHT });
    });
    watch.observe(here);
    return () => {
      watch.disconnect();
      made.destroy();
    };
  }, [lines, unit]);
  useEffect(() => {
    plot.current?.setData(align(answer.series));
  }, [answer, lines, unit]);
  return <div className="chart" ref={place} aria-hidden="true" />;
}
