import { Button, Group, NativeSelect, TextInput, Title } from '@mantine/core';
import { useState } from 'react';
import { labels, number } from '../format';
import { Chart, useRange } from '../parts/chart';
import { Rows } from '../parts/table';

const RANGES = [
  { value: '15', label: '15 minutes' },
  { value: '60', label: '1 hour' },
  { value: '360', label: '6 hours' },
  { value: '1440', label: '1 day' },
];

export function ExplorerPage() {
  const [text, setText] = useState('sum by (state) (system_memory_usage_bytes)');
  const [expr, setExpr] = useState(text);
  const [minutes, setMinutes] = useState('15');
  const range = useRange(expr, Number(minutes));
  return (
    <>
      <Title order={1}>Metrics</Title>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setExpr(text);
        }}
      >
        <Group align="end" my="sm">
          <TextInput
            label="PromQL"
            required
            miw="min(40rem, 80vw)"
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
          />
          <NativeSelect
            label="Range"
            data={RANGES}
            value={minutes}
            onChange={(event) => setMinutes(event.currentTarget.value)}
          />
          <Button type="submit">Ask</Button>
        </Group>
      </form>
      <h2>Answer</h2>
      <Chart title="Over time" expr={expr} minutes={Number(minutes)} name={labels} />
      <Rows
        label="Series"
        head={['Series', 'Newest value']}
        empty="No series."
        rows={(range.data ?? []).map((series) => [
          labels(series.metric),
          number(Number(series.values?.at(-1)?.[1] ?? NaN)),
        ])}
      />
    </>
  );
}
