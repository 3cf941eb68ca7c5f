import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { get } from '../api/client';
import type { Series } from '../api/types';
import { labels, number } from '../format';
import { Chart } from '../parts/chart';
import { Page } from '../parts/page';
import { Panel } from '../parts/panel';
import { isSelector, useRange, type RangeQuestion } from '../parts/range';
import { RANGES } from '../parts/ranges';
import { Rows } from '../parts/table';

const EXAMPLE = 'sum by (state) (system_memory_usage_bytes)';

export function ExplorerPage() {
  const { expr = EXAMPLE, minutes: asked = '15' } = useSearch({ from: '/shell/explore' });
  const minutes = RANGES.some((range) => range.value === asked) ? asked : '15';
  const ask: RangeQuestion = {
    expr,
    minutes: Number(minutes),
    source: isSelector(expr) ? expr : undefined,
  };
  return (
    <Page title="Metrics">
      <Question key={expr} expr={expr} minutes={minutes} />
      <section className="panel" aria-label="Answer">
        <Chart top title="Over time" ask={ask} name={labels} />
      </section>
      <Answers ask={ask} />
    </Page>
  );
}

function Question({ expr, minutes }: { expr: string; minutes: string }) {
  const [text, setText] = useState(expr);
  const navigate = useNavigate();
  const look = (search: { expr: string; minutes: string }) =>
    void navigate({ to: '/explore', search });
  const names = useQuery({
    queryKey: ['metric-names'],
    staleTime: 60_000,
    queryFn: () => get<{ data: string[] }>('/prometheus/api/v1/label/__name__/values'),
  });
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        look({ expr: text, minutes });
      }}
    >
      <TextInput
        label="PromQL"
        className="wide mono"
        required
        list="metric-names"
        spellCheck={false}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <datalist id="metric-names">
        {(names.data?.data ?? []).map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <NativeSelect
        label="Time"
        data={RANGES}
        value={minutes}
        onChange={(event) => look({ expr: text, minutes: event.currentTarget.value })}
      />
      <Button type="submit">Ask</Button>
    </form>
  );
}

/** Of one series: the newest value, the smallest, the largest, the mean. */
function summary(series: Series): string[] {
  const values = (series.values ?? []).map(([, value]) => Number(value));
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return [number(values.at(-1) ?? NaN), '–', '–', '–'];
  const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
  const least = finite.reduce((a, b) => Math.min(a, b));
  const most = finite.reduce((a, b) => Math.max(a, b));
  return [values.at(-1) ?? NaN, least, most, mean].map(number);
}

function Answers({ ask }: { ask: RangeQuestion }) {
  const range = useRange(ask);
  const numbers = ['Newest', 'Least', 'Most', 'Mean'];
  return (
    <Panel
      title="Series"
      query={range}
      count={(answer) => answer.series.length}
      isEmpty={(answer) => answer.series.length === 0}
      empty="No series in this time."
    >
      {(answer) => (
        <Rows
          label="Series"
          head={['Series', ...numbers]}
          numbers={numbers}
          rows={answer.series.map((series) => ({
            key: JSON.stringify(series.metric),
            cells: [<code className="hostile">{labels(series.metric)}</code>, ...summary(series)],
          }))}
        />
      )}
    </Panel>
  );
}
