/** What one person is granted at places. */
import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useState } from 'react';
import { call } from '../../api/client';
import { useAccessList, useChange, usePlaces } from '../../api/queries';
import type { Grant, User } from '../../api/types';
import { instant } from '../../format';
import { Danger, Dialog } from '../../parts/dialog';
import { Answer } from '../../parts/panel';
import { placeChoices, placeName } from '../../parts/places';
import { Problem } from '../../parts/problem';
import { Rows } from '../../parts/table';

export function Grants({ user }: { user: User }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button
        size="compact-xs"
        variant="default"
        aria-label={`Grants of ${user.email}`}
        onClick={() => setOpen(true)}
      >
        Grants
      </Button>
      {open && (
        <Dialog label={`Grants of ${user.email}`} onClose={() => setOpen(false)}>
          <Held user={user} />
          <div className="actions">
            <Button variant="default" onClick={() => setOpen(false)}>
              Close
            </Button>
          </div>
        </Dialog>
      )}
    </>
  );
}

function Held({ user }: { user: User }) {
  const name = `users/${encodeURIComponent(user.id)}/grants`;
  const { list, remove } = useAccessList<Grant>(name);
  const places = usePlaces().data?.items ?? [];
  const words = (grant: Grant) =>
    `${grant.effect} ${grant.role.replaceAll('_', ' ')} at ${placeName(places, grant.place)}`;
  return (
    <>
      <h2>Grants of {user.name}</h2>
      <p className="quiet">
        Beside the role {user.role.replaceAll('_', ' ')} in the whole tenant. What is denied is
        refused, whatever else allows it.
      </p>
      <Answer
        query={list}
        isEmpty={(page) => page.items.length === 0}
        empty="Nothing is granted or denied at a place."
      >
        {(page) => (
          <Rows
            label={`Grants of ${user.email}`}
            head={['Grant', 'Until', 'Take back']}
            rows={page.items.map((grant) => ({
              key: grant.id,
              cells: [
                <span className="hostile">{words(grant)}</span>,
                grant.until ? instant(grant.until) : 'no end',
                <Danger
                  verb="Take back"
                  thing={words(grant)}
                  consequence="From this one person, from their next request on."
                  act={() => remove(grant.id)}
                />,
              ],
            }))}
          />
        )}
      </Answer>
      <NewGrant name={name} />
    </>
  );
}

const NOTHING = { effect: 'allow', role: 'technician', place: '', until: '' };

function NewGrant({ name }: { name: string }) {
  const [grant, setGrant] = useState(NOTHING);
  const set = (part: Partial<typeof grant>) => setGrant((before) => ({ ...before, ...part }));
  const places = usePlaces().data?.items ?? [];
  const give = useChange(name, async () => {
    const { effect, role, place, until } = grant;
    const end = until === '' ? undefined : new Date(until).toISOString();
    await call('POST', `/api/auth/v1/${name}`, {
      effect,
      role,
      place: place || undefined,
      until: end,
    });
    setGrant(NOTHING);
  });
  const choices = placeChoices(places);
  return (
    <form
      className="form"
      aria-label="New grant"
      onSubmit={(event) => {
        event.preventDefault();
        give.mutate(undefined);
      }}
    >
      <NativeSelect
        label="Effect"
        data={['allow', 'deny']}
        value={grant.effect}
        onChange={(event) => set({ effect: event.currentTarget.value })}
      />
      <NativeSelect
        label="What the role permits"
        data={[
          { value: 'owner', label: 'owner' },
          { value: 'technician', label: 'technician' },
          { value: 'read_only', label: 'read only' },
        ]}
        value={grant.role}
        onChange={(event) => set({ role: event.currentTarget.value })}
      />
      <NativeSelect
        label="Place"
        data={[{ value: '', label: 'the whole tenant' }, ...choices]}
        value={grant.place}
        onChange={(event) => set({ place: event.currentTarget.value })}
      />
      <TextInput
        label="Until"
        description="Empty: no end"
        type="datetime-local"
        value={grant.until}
        onChange={(event) => set({ until: event.currentTarget.value })}
      />
      <Button type="submit" loading={give.isPending}>
        Give the grant
      </Button>
      <Problem error={give.error} />
    </form>
  );
}
