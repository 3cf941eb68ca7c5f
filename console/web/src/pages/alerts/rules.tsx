/** The conditions that somebody wants to hear of. */
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { Button } from '@mantine/core';
import { call } from '../../api/client';
import { useCan, useChange, useChannels, useRules } from '../../api/queries';
import type { Rule } from '../../api/types';
import { ago, count, duration } from '../../format';
import { useNow } from '../../live';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { State } from '../../parts/state';
import { Rows } from '../../parts/table';
import { RuleForm } from './rule-form';

export function Rules() {
  const can = useCan();
  const rules = useRules();
  const [changed, setChanged] = useState<Rule>();
  return (
    <Panel
      title="Rules"
      query={rules}
      count={(list) => list.items.length}
      isEmpty={(list) => list.items.length === 0}
      empty="No rule yet: nothing can fire."
      below={
        can('alerts:write') && (
          <RuleForm
            key={changed?.id ?? 'new'}
            rule={changed}
            onDone={() => setChanged(undefined)}
          />
        )
      }
    >
      {(list) => <RuleRows rules={list.items} change={setChanged} />}
    </Panel>
  );
}

function RuleRows({ rules, change }: { rules: Rule[]; change: (rule: Rule) => void }) {
  const now = useNow();
  const can = useCan();
  const channels = useChannels();
  const told = (rule: Rule) =>
    (rule.channels ?? []).map(
      (id) => channels.data?.items.find((channel) => channel.id === id)?.name ?? id,
    );
  const remove = useChange('rules', (id: string) =>
    call('DELETE', `/api/monitoring/v1/rules/${encodeURIComponent(id)}`),
  );
  return (
    <Rows
      label="Rules"
      head={['State', 'Severity', 'Rule', 'Expression', 'For', 'Tells', 'Evaluated', 'Change']}
      rows={rules.map((rule) => ({
        key: rule.id,
        cells: [
          <State value={rule.state} />,
          <State value={rule.severity} />,
          <b>{rule.name}</b>,
          <>
            <Link to="/explore" search={{ expr: rule.expr }}>
              <code>{rule.expr}</code>
            </Link>
            {rule.error && <span className="problem">{rule.error}</span>}
          </>,
          duration(rule.for_s ?? 0),
          told(rule).join(', ') || 'nobody',
          ago(rule.evaluated_at, now),
          can('alerts:write') && (
            <span className="actions">
              <Button
                size="compact-xs"
                variant="default"
                aria-label={`Change ${rule.name}`}
                onClick={() => change(rule)}
              >
                Change
              </Button>
              <Danger
                verb="Remove"
                thing={`rule ${rule.name}`}
                consequence={`The rule and its alerts go, and ${count(told(rule).length, 'channel')} will hear no more of it.`}
                act={() => remove.mutateAsync(rule.id)}
              />
            </span>
          ),
        ],
      }))}
    />
  );
}
