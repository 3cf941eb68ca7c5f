import { Button, Group, NativeSelect, NumberInput, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { call, get } from '../api/client';
import type { AlertList, ChannelList, RuleList } from '../api/types';
import { ago, labels, number } from '../format';
import { useNow } from '../live';
import { Problem } from '../parts/problem';
import { State } from '../parts/state';
import { Rows } from '../parts/table';

const API = '/api/monitoring/v1';

export function AlertsPage() {
  const now = useNow();
  const alerts = useQuery({
    queryKey: ['alerts'],
    refetchInterval: 15_000,
    queryFn: () => get<AlertList>(`${API}/alerts`),
  });
  return (
    <>
      <Title order={1}>Alerts</Title>
      <Problem error={alerts.error} />
      <Rows
        label="Alerts"
        head={['State', 'Alert', 'Severity', 'Value', 'Labels', 'Since', 'What to do']}
        empty="No alert is pending or firing."
        rows={(alerts.data?.items ?? []).map((alert) => [
          <State value={alert.state} />,
          alert.device_id ? (
            <Link to="/devices/$id" params={{ id: alert.device_id }}>
              {alert.name}
            </Link>
          ) : (
            alert.name
          ),
          <State value={alert.severity} />,
          number(alert.value),
          labels(alert.labels),
          ago(alert.active_at, now),
          alert.summary,
        ])}
      />
      <Rules />
      <Channels />
    </>
  );
}

function Rules() {
  const now = useNow();
  const client = useQueryClient();
  const again = () => client.invalidateQueries({ queryKey: ['rules'] });
  const rules = useQuery({
    queryKey: ['rules'],
    refetchInterval: 15_000,
    queryFn: () => get<RuleList>(`${API}/rules`),
  });
  const channels = useChannels();
  const [name, setName] = useState('');
  const [expr, setExpr] = useState('');
  const [hold, setHold] = useState<number | string>(60);
  const [severity, setSeverity] = useState('warning');
  const [summary, setSummary] = useState('');
  const [channel, setChannel] = useState('');
  const make = useMutation({
    mutationFn: () =>
      call('POST', `${API}/rules`, {
        name,
        expr,
        for_s: Number(hold),
        severity,
        summary,
        channels: channel === '' ? [] : [channel],
      }),
    onSuccess: again,
  });
  const remove = useMutation({
    mutationFn: (id: string) => call('DELETE', `${API}/rules/${encodeURIComponent(id)}`),
    onSuccess: again,
  });
  return (
    <>
      <h2>Rules</h2>
      <Rows
        label="Rules"
        head={['Rule', 'State', 'Expression', 'For', 'Evaluated', 'Problem', 'Remove']}
        empty="No rule yet."
        rows={(rules.data?.items ?? []).map((rule) => [
          rule.name,
          <State value={rule.state} />,
          <code>{rule.expr}</code>,
          `${rule.for_s} s`,
          ago(rule.evaluated_at, now),
          rule.error ?? '',
          <Button size="compact-xs" variant="default" onClick={() => remove.mutate(rule.id)}>
            Remove {rule.name}
          </Button>,
        ])}
      />
      <h3>A new rule</h3>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <Group align="end">
          <TextInput
            label="Rule name"
            required
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
          />
          <TextInput
            label="Expression"
            description="PromQL; each series of the answer is an alert"
            required
            miw="20rem"
            value={expr}
            onChange={(e) => setExpr(e.currentTarget.value)}
          />
          <NumberInput
            label="Seconds it must hold"
            min={0}
            max={604_800}
            value={hold}
            onChange={setHold}
          />
          <NativeSelect
            label="Severity"
            data={['info', 'warning', 'critical']}
            value={severity}
            onChange={(e) => setSeverity(e.currentTarget.value)}
          />
          <TextInput
            label="What to do"
            value={summary}
            onChange={(e) => setSummary(e.currentTarget.value)}
          />
          <NativeSelect
            label="Tell"
            data={[
              { value: '', label: 'nobody' },
              ...(channels.data?.items ?? []).map((it) => ({ value: it.id, label: it.name })),
            ]}
            value={channel}
            onChange={(e) => setChannel(e.currentTarget.value)}
          />
          <Button type="submit" loading={make.isPending}>
            Make the rule
          </Button>
        </Group>
      </form>
      <Problem error={rules.error ?? make.error ?? remove.error} />
    </>
  );
}

function useChannels() {
  return useQuery({
    queryKey: ['channels'],
    refetchInterval: 15_000,
    queryFn: () => get<ChannelList>(`${API}/channels`),
  });
}

function Channels() {
  const now = useNow();
  const client = useQueryClient();
  const again = () => client.invalidateQueries({ queryKey: ['channels'] });
  const channels = useChannels();
  const [name, setName] = useState('');
  const [url, setUrl] = useState('');
  const make = useMutation({
    mutationFn: () => call('POST', `${API}/channels`, { name, webhook_url: url }),
    onSuccess: again,
  });
  const remove = useMutation({
    mutationFn: (id: string) => call('DELETE', `${API}/channels/${encodeURIComponent(id)}`),
    onSuccess: again,
  });
  return (
    <>
      <h2>Channels</h2>
      <Rows
        label="Channels"
        head={['Channel', 'Webhook', 'Last delivery', 'Problem', 'Remove']}
        empty="No channel yet: alerts are shown here only."
        rows={(channels.data?.items ?? []).map((channel) => [
          channel.name,
          channel.webhook_url,
          ago(channel.delivered_at, now),
          channel.error ?? '',
          <Button size="compact-xs" variant="default" onClick={() => remove.mutate(channel.id)}>
            Remove {channel.name}
          </Button>,
        ])}
      />
      <form
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <Group align="end" my="sm">
          <TextInput
            label="Channel name"
            required
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
          />
          <TextInput
            label="Webhook address"
            required
            miw="20rem"
            value={url}
            onChange={(e) => setUrl(e.currentTarget.value)}
          />
          <Button type="submit" loading={make.isPending}>
            Make the channel
          </Button>
        </Group>
      </form>
      <Problem error={channels.error ?? make.error ?? remove.error} />
    </>
  );
}
