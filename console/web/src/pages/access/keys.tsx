/** One's own API keys. */
import { Button, Checkbox, NumberInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { call } from '../../api/client';
import { useAccessList, useChange, useMe } from '../../api/queries';
import type { ApiKey, MadeApiKey } from '../../api/types';
import { ago, until } from '../../format';
import { useNow } from '../../live';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { Problem } from '../../parts/problem';
import { Secret } from '../../parts/secret';
import { Rows } from '../../parts/table';

export function Keys() {
  const now = useNow();
  const { list, remove } = useAccessList<ApiKey>('api-keys');
  return (
    <Panel
      title="My API keys"
      query={list}
      count={(page) => page.items.length}
      isEmpty={(page) => page.items.length === 0}
      empty="You have no API key."
      below={<NewKey />}
    >
      {(page) => (
        <Rows
          label="API keys"
          head={['Key', 'May', 'Ends', 'Last used', 'Revoke']}
          rows={page.items.map((key) => ({
            key: key.id,
            cells: [
              <b>{key.name}</b>,
              <code>{key.scopes.join(' ')}</code>,
              until(key.expires_at, now),
              ago(key.last_used_at, now),
              <Danger
                verb="Revoke"
                thing={`key ${key.name}`}
                consequence="Whatever uses this one key is refused from now on."
                act={() => remove(key.id)}
              />,
            ],
          }))}
        />
      )}
    </Panel>
  );
}

function NewKey() {
  const me = useMe();
  const [name, setName] = useState('');
  const [days, setDays] = useState<number | string>(90);
  const [scopes, setScopes] = useState<string[]>([]);
  const make = useChange('api-keys', async () => {
    const made = await call<MadeApiKey>('POST', '/api/auth/v1/api-keys', {
      name,
      scopes,
      expires_in_days: Number(days),
    });
    setName('');
    setScopes([]);
    return made;
  });
  return (
    <form
      className="form"
      aria-label="New key"
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate(undefined);
      }}
    >
      <TextInput
        label="Key name"
        required
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <NumberInput label="Days it is good for" min={1} max={365} value={days} onChange={setDays} />
      <Checkbox.Group
        label="It may"
        description="No more than its task needs"
        className="scopes"
        value={scopes}
        onChange={setScopes}
      >
        {(me.data?.permissions ?? []).map((permission) => (
          <Checkbox key={permission} value={permission} label={permission} />
        ))}
      </Checkbox.Group>
      <Button type="submit" loading={make.isPending} disabled={scopes.length === 0}>
        Make a key
      </Button>
      <Problem error={make.error} />
      <Secret label="The new key" lead="Keep it now: it is shown once." text={make.data?.secret} />
    </form>
  );
}
