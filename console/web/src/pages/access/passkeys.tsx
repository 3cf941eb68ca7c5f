/** One's own passkeys, and, for who manages people, those of somebody. */
import { Button, TextInput } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { call, get } from '../../api/client';
import { signedIn, useChange } from '../../api/queries';
import type { Page, Passkey, PasskeyAdded, User } from '../../api/types';
import { ago, instant } from '../../format';
import { useNow } from '../../live';
import { Danger, Dialog } from '../../parts/dialog';
import { Codes } from '../../parts/enrolling';
import { Panel } from '../../parts/panel';
import { knowsPasskeys, makePasskey } from '../../parts/passkey';
import { Problem } from '../../parts/problem';
import { Rows } from '../../parts/table';

const API = '/api/auth/v1/me/passkeys';

export function Passkeys() {
  const client = useQueryClient();
  const [codes, setCodes] = useState<string[]>();
  const list = useQuery({ queryKey: ['passkeys'], queryFn: () => get<Page<Passkey>>(API) });
  const again = () => {
    for (const name of ['factors', 'sessions']) void client.invalidateQueries({ queryKey: [name] });
  };
  const add = useChange('passkeys', async (name: string) => {
    const made = await makePasskey(`${API}/options`);
    const added = await call<PasskeyAdded>('POST', API, { name, ...made });
    signedIn(client, added.me);
    if (added.recovery_codes.length > 0) setCodes(added.recovery_codes);
    again();
  });
  const remove = useChange('passkeys', async (id: string) => {
    await call('DELETE', `${API}/${encodeURIComponent(id)}`);
    again();
  });
  return (
    <Panel
      title="My passkeys"
      query={list}
      count={(page) => page.items.length}
      isEmpty={(page) => page.items.length === 0}
      empty="None. A passkey signs you in without a password."
      below={
        <>
          {codes && <Codes codes={codes} done={() => setCodes(undefined)} />}
          {knowsPasskeys() ? (
            <Add busy={add.isPending} error={add.error} add={add.mutate} />
          ) : (
            <p className="quiet">This browser does not know passkeys.</p>
          )}
        </>
      }
    >
      {(page) => <Table passkeys={page.items} remove={remove.mutateAsync} rename />}
    </Panel>
  );
}

function Table(props: {
  passkeys: Passkey[];
  remove: (id: string) => Promise<unknown>;
  rename?: boolean;
}) {
  const now = useNow();
  return (
    <Rows
      label="Passkeys"
      head={['Name', 'Made', 'Last used', 'Change']}
      rows={props.passkeys.map((it) => ({
        key: it.id,
        cells: [
          <span className="hostile">{it.name}</span>,
          instant(it.created_at),
          it.last_used_at ? ago(it.last_used_at, now) : 'never',
          <span className="actions">
            {props.rename && <Rename passkey={it} />}
            <Danger
              verb="Remove"
              thing={`passkey ${it.name}`}
              consequence="It lets nobody in any more. All other sessions of its person end; with the last factor go the recovery codes."
              act={() => props.remove(it.id)}
            />
          </span>,
        ],
      }))}
    />
  );
}

function Add(props: { busy: boolean; error: unknown; add: (name: string) => void }) {
  const [name, setName] = useState('');
  return (
    <form
      aria-label="New passkey"
      onSubmit={(event) => {
        event.preventDefault();
        props.add(name);
      }}
    >
      <span className="actions">
        <TextInput
          label="Name of the passkey"
          required
          maxLength={200}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Button type="submit" loading={props.busy}>
          Add a passkey
        </Button>
      </span>
      <Problem error={props.error} />
    </form>
  );
}

function Rename({ passkey }: { passkey: Passkey }) {
  const [open, setOpen] = useState(false);
  const [name, setName] = useState(passkey.name);
  const rename = useChange('passkeys', async () => {
    await call('PATCH', `${API}/${encodeURIComponent(passkey.id)}`, { name });
    setOpen(false);
  });
  const title = `Rename passkey ${passkey.name}`;
  return (
    <>
      <Button size="compact-xs" variant="default" aria-label={title} onClick={() => setOpen(true)}>
        Rename
      </Button>
      {open && (
        <Dialog label={title} onClose={() => setOpen(false)}>
          <form
            onSubmit={(event) => {
              event.preventDefault();
              rename.mutate(undefined);
            }}
          >
            <h2 className="hostile">{title}</h2>
            <TextInput
              label="New name"
              required
              maxLength={200}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <Problem error={rename.error} />
            <div className="actions">
              <Button variant="default" onClick={() => setOpen(false)}>
                Cancel
              </Button>
              <Button type="submit" loading={rename.isPending}>
                Rename
              </Button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}

/** A button that shows the passkeys of somebody, to be removed. */
export function PasskeysOf({ user }: { user: User }) {
  const [open, setOpen] = useState(false);
  const title = `Passkeys of ${user.email}`;
  return (
    <>
      <Button size="compact-xs" variant="default" aria-label={title} onClick={() => setOpen(true)}>
        Passkeys
      </Button>
      {open && (
        <Dialog label={title} onClose={() => setOpen(false)}>
          <h2 className="hostile">{title}</h2>
          <Theirs user={user} />
          <Button variant="default" onClick={() => setOpen(false)}>
            Close
          </Button>
        </Dialog>
      )}
    </>
  );
}

function Theirs({ user }: { user: User }) {
  const path = `/api/auth/v1/users/${encodeURIComponent(user.id)}/passkeys`;
  const key = ['passkeys-of', user.id];
  const client = useQueryClient();
  const list = useQuery({ queryKey: key, queryFn: () => get<Page<Passkey>>(path) });
  const remove = async (id: string) => {
    await call('DELETE', `${path}/${encodeURIComponent(id)}`);
    await client.invalidateQueries({ queryKey: key });
  };
  return (
    <>
      <Problem error={list.error} />
      {list.data?.items.length === 0 && <p>There are none.</p>}
      {list.data && list.data.items.length > 0 && (
        <Table passkeys={list.data.items} remove={remove} />
      )}
    </>
  );
}
