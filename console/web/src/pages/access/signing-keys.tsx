/** The keys that sign what programs are told about people (ID tokens). */
import { Button } from '@mantine/core';
import { call } from '../../api/client';
import { useAccessList, useChange } from '../../api/queries';
import type { RotateKeys, SigningKey } from '../../api/types';
import { instant } from '../../format';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { Problem } from '../../parts/problem';
import { Rows } from '../../parts/table';

const STAGES: Record<string, string> = {
  staged: 'Programs get to know it',
  signing: 'Signs',
  retiring: 'Signs no more; what it has signed is good',
};

export function SigningKeys() {
  const { list } = useAccessList<SigningKey>('signing-keys');
  return (
    <Panel
      title="Signing keys"
      query={list}
      count={(page) => page.items.length}
      isEmpty={(page) => page.items.length === 0}
      empty="No key has been needed yet."
      below={<Rotate />}
    >
      {(page) => (
        <Rows
          label="Signing keys"
          head={['Key', 'What it does', 'Signs from']}
          rows={page.items.map((key) => ({
            key: key.kid,
            cells: [
              <code>{key.kid}</code>,
              STAGES[key.stage] ?? key.stage,
              instant(key.signs_from),
            ],
          }))}
        />
      )}
    </Panel>
  );
}

function Rotate() {
  const rotate = useChange('signing-keys', (how: RotateKeys) =>
    call<SigningKey>('POST', '/api/auth/v1/signing-keys', how),
  );
  return (
    <div className="actions">
      <Button variant="default" loading={rotate.isPending} onClick={() => rotate.mutate({})}>
        New key, signs in a day
      </Button>
      <Danger
        verb="Revoke"
        thing="all signing keys"
        consequence="A new key signs at once. Whatever the others have signed is good no more: programs may have to ask people again."
        act={() => rotate.mutateAsync({ now: true, revoke: true })}
      />
      <Problem error={rotate.error} />
    </div>
  );
}
