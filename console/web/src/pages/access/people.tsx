/** People and what they may do. */
import { Button, NativeSelect, PasswordInput, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { call } from '../../api/client';
import { useAccessList, useChange, useMe } from '../../api/queries';
import type { PasswordLink, User } from '../../api/types';
import { instant } from '../../format';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { Problem } from '../../parts/problem';
import { Secret } from '../../parts/secret';
import { State } from '../../parts/state';
import { Rows } from '../../parts/table';
import { Grants } from './grants';
import { Invite, Invited } from './invitations';
import { PasskeysOf } from './passkeys';
import { ROLES } from './roles';

const API = '/api/auth/v1/users';

export function People() {
  const { list } = useAccessList<User>('users');
  return (
    <Panel
      title="People"
      query={list}
      count={(page) => page.items.length}
      isEmpty={(page) => page.items.length === 0}
      below={
        <>
          <Invite />
          <NewPerson />
        </>
      }
    >
      {(page) => <PeopleRows people={page.items} />}
    </Panel>
  );
}

function PeopleRows({ people }: { people: User[] }) {
  const me = useMe();
  const change = useChange('users', ({ id, ...part }: { id: string; disabled?: boolean }) =>
    call('PATCH', `${API}/${encodeURIComponent(id)}`, part),
  );
  const link = useMutation({
    mutationFn: (user: User) =>
      call<PasswordLink>('POST', `${API}/${encodeURIComponent(user.id)}/password-link`),
  });
  return (
    <>
      <Problem error={change.error ?? link.error} />
      <Rows
        label="People"
        head={['Name', 'E-mail', 'Role', 'State', 'Since', 'Change']}
        rows={people.map((user) => ({
          key: user.id,
          cells: [
            <b>{user.name}</b>,
            <>
              {user.email}
              {user.email_verified && ' (verified)'}
            </>,
            <Role user={user} own={user.id === me.data?.user.id} />,
            <State value={stateOf(user)} />,
            instant(user.created_at),
            <Changes user={user} change={change.mutateAsync} newLink={link.mutate} />,
          ],
        }))}
      />
      <Secret
        label="The new password link"
        lead={`Hand this to ${link.variables?.name ?? 'the person'} now: it is shown once, and good for a day.`}
        text={link.data?.url}
      />
    </>
  );
}

function stateOf(user: User) {
  if (user.disabled) return 'disabled';
  return user.invited_until ? 'invited' : 'active';
}

/** What can be done with a person. */
function Changes({
  user,
  change,
  newLink,
}: {
  user: User;
  change: (part: { id: string; disabled: boolean }) => Promise<unknown>;
  newLink: (user: User) => void;
}) {
  if (user.disabled) {
    return (
      <Button
        size="compact-xs"
        variant="default"
        aria-label={`Enable ${user.email}`}
        onClick={() => void change({ id: user.id, disabled: false }).catch(() => undefined)}
      >
        Enable
      </Button>
    );
  }
  if (user.invited_until) return <Invited user={user} />;
  return (
    <span className="actions">
      <Grants user={user} />
      <Button
        size="compact-xs"
        variant="default"
        aria-label={`New password link for ${user.email}`}
        onClick={() => newLink(user)}
      >
        Password link
      </Button>
      <PasskeysOf user={user} />
      <Danger
        verb="Reset factors"
        thing={`of ${user.email}`}
        consequence="For who has lost the app and all passkeys: the password alone lets this one person in then. They are signed out everywhere."
        act={() => call('DELETE', `${API}/${encodeURIComponent(user.id)}/factors`)}
      />
      <Danger
        verb="Disable"
        thing={user.email}
        consequence="This one person is signed out everywhere, and their API keys stop working, until you enable them again."
        act={() => change({ id: user.id, disabled: true })}
      />
    </span>
  );
}

/** The role, with another to choose and a button that makes it so. */
function Role({ user, own }: { user: User; own: boolean }) {
  const [role, setRole] = useState(user.role);
  const change = useChange('users', () =>
    call('PATCH', `${API}/${encodeURIComponent(user.id)}`, { role }),
  );
  const name = (value: string) => ROLES.find((it) => it.value === value)?.label ?? value;
  if (own) return <>{name(user.role)} (you)</>;
  return (
    <span className="actions">
      <NativeSelect
        aria-label={`Role of ${user.email}`}
        data={ROLES}
        value={role}
        onChange={(event) => setRole(event.currentTarget.value)}
      />
      {role !== user.role && (
        <Danger
          verb="Change role"
          thing={`of ${user.email}`}
          consequence={`From ${name(user.role)} to ${name(role)}, from their next request on.`}
          act={() => change.mutateAsync(undefined)}
        />
      )}
    </span>
  );
}

const NOBODY = { name: '', email: '', password: '', role: 'technician' };

function NewPerson() {
  const [person, setPerson] = useState(NOBODY);
  const set = (part: Partial<typeof person>) => setPerson((before) => ({ ...before, ...part }));
  const make = useChange('users', async () => {
    await call('POST', API, person);
    setPerson(NOBODY);
  });
  return (
    <form
      className="form"
      aria-label="New person"
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate(undefined);
      }}
    >
      <TextInput
        label="Name"
        required
        value={person.name}
        onChange={(event) => set({ name: event.currentTarget.value })}
      />
      <TextInput
        label="E-mail"
        type="email"
        required
        value={person.email}
        onChange={(event) => set({ email: event.currentTarget.value })}
      />
      <PasswordInput
        label="First password"
        required
        autoComplete="new-password"
        value={person.password}
        onChange={(event) => set({ password: event.currentTarget.value })}
      />
      <NativeSelect
        label="Role"
        data={ROLES}
        value={person.role}
        onChange={(event) => set({ role: event.currentTarget.value })}
      />
      <Button type="submit" loading={make.isPending}>
        Add the person
      </Button>
      <Problem error={make.error} />
    </form>
  );
}
