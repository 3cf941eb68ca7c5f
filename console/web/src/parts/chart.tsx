/** Lines over the asked time, with a legend that has their values, and their true age. */
import { useComputedColorScheme } from '@mantine/core';
import { lazy, Suspense, useState } from 'react';
import { clock, duration } from '../format';
import { useNow } from '../live';
import { Answer } from './panel';
import { useRange, type RangeAnswer, type RangeQuestion } from './range';
import { PLAIN, type Unit } from './units';

const Plot = lazy(() => import('./plot'));

/** How many lines one can still tell apart. */
const MOST_LINES = 8;

export type Name = (metric: Record<string, string>) => string;

export function Chart(props: {
  title: string;
  name: Name;
  unit?: Unit;
  ask: RangeQuestion;
  top?: boolean;
}) {
  const Heading = props.top ? 'h2' : 'h3';
  const range = useRange(props.ask);
  return (
    <section className="chart-box" aria-label={props.title}>
      <header>
        <Heading>{props.title}</Heading>
        <Freshness answer={range.data} known={props.ask.source !== undefined} />
      </header>
      <Answer
        query={range}
        isEmpty={(answer) => answer.series.every((one) => (one.values ?? []).length === 0)}
        empty="No data in this time."
      >
        {(answer) => <Lines answer={answer} name={props.name} unit={props.unit ?? PLAIN} />}
      </Answer>
    </section>
  );
}

/** How old the newest sample is; where that cannot be known, when it was asked. */
function Freshness({ answer, known }: { answer: RangeAnswer | undefined; known: boolean }) {
  const now = useNow();
  if (!answer) return null;
  const since = (at: number) => Math.max(0, Math.round(now / 1000 - at));
  if (!known) return <span className="age">asked {duration(since(answer.end))} ago</span>;
  if (answer.newest === undefined) {
    const span = duration(answer.end - answer.start);
    return (
      <span className="age" data-old="true">
        no sample for {span} or more
      </span>
    );
  }
  const age = since(answer.newest);
  return (
    <span className="age" data-age={age} data-old={age > 60}>
      newest sample {duration(age)} old
    </span>
  );
}

function Lines({ answer, name, unit }: { answer: RangeAnswer; name: Name; unit: Unit }) {
  const scheme = useComputedColorScheme('light');
  const [at, setAt] = useState<number>();
  const series = answer.series.slice(0, MOST_LINES);
  const left = answer.series.length - series.length;
  return (
    <>
      <Suspense fallback={<div className="chart" />}>
        <Plot
          key={scheme}
          answer={{ ...answer, series }}
          names={series.map((one) => name(one.metric))}
          unit={unit}
          onPoint={setAt}
        />
      </Suspense>
      <p className="legend-time">{at === undefined ? 'newest' : `at ${clock(at, true)}`}</p>
      <ul className="legend">
        {series.map((one, n) => (
          <li key={JSON.stringify(one.metric)}>
            <i data-line={n} aria-hidden="true" />
            <span className="hostile">{name(one.metric)}</span>
            <b>{unit.show(valueAt(one.values ?? [], at))}</b>
          </li>
        ))}
      </ul>
      {left > 0 && <p className="quiet">{left} more are not drawn: ask for fewer.</p>}
    </>
  );
}

/** The value at an instant; the newest when none is pointed at. */
export function valueAt(values: [number, string][], at: number | undefined): number {
  const point = at === undefined ? values.at(-1) : values.find(([time]) => time === at);
  return Number(point?.[1] ?? NaN);
}
