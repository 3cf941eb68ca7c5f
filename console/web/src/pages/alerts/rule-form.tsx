/** A new rule, or one to change; with a look at what it would find now. */
import { Button, NativeSelect, NumberInput, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { call, get, query } from '../../api/client';
import { useChange, useChannels } from '../../api/queries';
import type { Rule, RuleDefinition, Series } from '../../api/types';
import { count } from '../../format';
import { Problem } from '../../parts/problem';

const API = '/api/monitoring/v1/rules';
const SEVERITIES = ['info', 'warning', 'critical'];

const NEW: RuleDefinition = {
  name: '',
  expr: '',
  for_s: 60,
  severity: 'warning',
  summary: '',
  channels: [],
};

/** The definition alone: what the platform adds to a rule is not sent back. */
const definitionOf = ({ name, expr, for_s, severity, summary, channels }: RuleDefinition) => ({
  ...{ name, expr, for_s, severity, summary, channels },
});

export function RuleForm({ rule, onDone }: { rule?: Rule; onDone: () => void }) {
  const [draft, setDraft] = useState<RuleDefinition>(() => definitionOf(rule ?? NEW));
  const set = (part: Partial<RuleDefinition>) => setDraft((before) => ({ ...before, ...part }));
  const save = useChange('rules', async () => {
    if (rule) await call('PUT', `${API}/${encodeURIComponent(rule.id)}`, draft);
    else await call('POST', API, draft);
    setDraft(NEW);
    onDone();
  });
  return (
    <form
      className="form"
      aria-label={rule ? `Change rule ${rule.name}` : 'New rule'}
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate(undefined);
      }}
    >
      <h3>{rule ? `Change ${rule.name}` : 'New rule'}</h3>
      <Fields draft={draft} set={set} />
      <Button type="submit" loading={save.isPending}>
        {rule ? 'Save the rule' : 'Make the rule'}
      </Button>
      <Trial expr={draft.expr} />
      {rule && (
        <Button variant="default" onClick={onDone}>
          Cancel
        </Button>
      )}
      <Problem error={save.error} />
    </form>
  );
}

function Fields(props: { draft: RuleDefinition; set: (part: Partial<RuleDefinition>) => void }) {
  const { draft, set } = props;
  const channels = useChannels();
  return (
    <>
      <TextInput
        label="Rule name"
        required
        value={draft.name}
        onChange={(event) => set({ name: event.currentTarget.value })}
      />
      <TextInput
        label="Expression"
        description="PromQL: each series of the answer is an alert"
        className="wide mono"
        required
        spellCheck={false}
        value={draft.expr}
        onChange={(event) => set({ expr: event.currentTarget.value })}
      />
      <NumberInput
        label="Seconds it must hold"
        min={0}
        max={604_800}
        value={draft.for_s}
        onChange={(value) => set({ for_s: Number(value) })}
      />
      <NativeSelect
        label="Severity"
        data={SEVERITIES}
        value={draft.severity}
        onChange={(event) => set({ severity: event.currentTarget.value })}
      />
      <TextInput
        label="What to do"
        value={draft.summary}
        onChange={(event) => set({ summary: event.currentTarget.value })}
      />
      <NativeSelect
        label="Tell"
        data={[
          { value: '', label: 'nobody' },
          ...(channels.data?.items ?? []).map((it) => ({ value: it.id, label: it.name })),
        ]}
        value={draft.channels?.[0] ?? ''}
        onChange={(event) =>
          set({ channels: event.currentTarget.value === '' ? [] : [event.currentTarget.value] })
        }
      />
    </>
  );
}

/** What the expression finds now, so that a rule is not made blindly. */
function Trial({ expr }: { expr: string }) {
  const trial = useMutation({
    mutationFn: () =>
      get<{ data: { resultType: string; result: Series[] } }>(
        `/prometheus/api/v1/query${query({ query: expr })}`,
      ),
  });
  const found = trial.data?.data.resultType === 'vector' ? trial.data.data.result.length : 1;
  return (
    <>
      <Button
        variant="default"
        disabled={expr === ''}
        loading={trial.isPending}
        onClick={() => trial.mutate()}
      >
        Try it
      </Button>
      {trial.data && (
        <p role="status">
          {found === 0
            ? 'It finds nothing now: nothing would fire.'
            : `It finds ${count(found, 'series', 'series')} now: as many alerts.`}
        </p>
      )}
      <Problem error={trial.error} />
    </>
  );
}
