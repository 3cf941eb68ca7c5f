/** Who hears of alerts. */
import { Button, TextInput } from '@mantine/core';
import { useState } from 'react';
import { call } from '../../api/client';
import { useCan, useChange, useChannels, useRules } from '../../api/queries';
import type { Channel } from '../../api/types';
import { ago, count } from '../../format';
import { useNow } from '../../live';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { Problem } from '../../parts/problem';
import { Rows } from '../../parts/table';

const API = '/api/monitoring/v1/channels';

export function Channels() {
  const can = useCan();
  const channels = useChannels();
  return (
    <Panel
      title="Channels"
      query={channels}
      count={(list) => list.items.length}
      isEmpty={(list) => list.items.length === 0}
      empty="No channel yet: alerts are shown here only."
      below={can('alerts:write') && <NewChannel />}
    >
      {(list) => <ChannelRows channels={list.items} />}
    </Panel>
  );
}

function ChannelRows({ channels }: { channels: Channel[] }) {
  const now = useNow();
  const can = useCan();
  const rules = useRules();
  const users = (id: string) =>
    (rules.data?.items ?? []).filter((rule) => rule.channels?.includes(id)).length;
  const remove = useChange('channels', (id: string) =>
    call('DELETE', `${API}/${encodeURIComponent(id)}`),
  );
  return (
    <Rows
      label="Channels"
      head={['Channel', 'Webhook', 'Last delivery', 'Problem', 'Change']}
      rows={channels.map((channel) => ({
        key: channel.id,
        cells: [
          <b>{channel.name}</b>,
          <code className="hostile">{channel.webhook_url}</code>,
          ago(channel.delivered_at, now),
          channel.error ? <span className="problem">{channel.error}</span> : 'none',
          can('alerts:write') && (
            <Danger
              verb="Remove"
              thing={`channel ${channel.name}`}
              consequence={`Nothing is sent to it any more; ${count(users(channel.id), 'rule')} named it.`}
              act={() => remove.mutateAsync(channel.id)}
            />
          ),
        ],
      }))}
    />
  );
}

function NewChannel() {
  const [name, setName] = useState('');
  const [url, setUrl] = useState('');
  const make = useChange('channels', async () => {
    await call('POST', API, { name, webhook_url: url });
    setName('');
    setUrl('');
  });
  return (
    <form
      className="form"
      aria-label="New channel"
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate(undefined);
      }}
    >
      <h3>New channel</h3>
      <TextInput
        label="Channel name"
        required
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <TextInput
        label="Webhook address"
        className="wide"
        type="url"
        required
        value={url}
        onChange={(event) => setUrl(event.currentTarget.value)}
      />
      <Button type="submit" loading={make.isPending}>
        Make the channel
      </Button>
      <Problem error={make.error} />
    </form>
  );
}
