import {
  Button,
  Group,
  NativeSelect,
  NumberInput,
  PasswordInput,
  TextInput,
  Title,
} from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { call, get } from '../api/client';
import type {
  ApiKey,
  EnrolmentToken,
  MadeApiKey,
  MadeEnrolmentToken,
  Page,
  Session,
  User,
} from '../api/types';
import { ago } from '../format';
import { useNow } from '../live';
import { Problem } from '../parts/problem';
import { useMe } from '../parts/shell';
import { Rows } from '../parts/table';

const API = '/api/auth/v1';

/** One list of the API, and a way to remove from it. */
function useList<T>(name: string) {
  const client = useQueryClient();
  const list = useQuery({ queryKey: [name], queryFn: () => get<Page<T>>(`${API}/${name}`) });
  const again = () => client.invalidateQueries({ queryKey: [name] });
  const remove = useMutation({
    mutationFn: (id: string) => call('DELETE', `${API}/${name}/${encodeURIComponent(id)}`),
    onSuccess: again,
  });
  return {
    items: list.data?.items ?? [],
    error: list.error ?? remove.error,
    remove: remove.mutate,
    again,
  };
}

export function AccessPage() {
  return (
    <>
      <Title order={1}>Access</Title>
      <Tokens />
      <Users />
      <Keys />
      <Sessions />
    </>
  );
}

/** A secret that is shown once. */
function Secret({ label, text }: { label: string; text?: string }) {
  if (!text) return null;
  return (
    <pre className="output" tabIndex={0} aria-label={label}>
      {text}
    </pre>
  );
}

function Tokens() {
  const now = useNow();
  const tokens = useList<EnrolmentToken>('enrolment-tokens');
  const [uses, setUses] = useState<number | string>(1);
  const make = useMutation({
    mutationFn: () =>
      call<MadeEnrolmentToken>('POST', `${API}/enrolment-tokens`, { uses: Number(uses) }),
    onSuccess: tokens.again,
  });
  return (
    <>
      <h2>Enrol devices</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          make.mutate();
        }}
      >
        <Group align="end">
          <NumberInput
            label="Devices it is good for"
            min={1}
            max={10_000}
            value={uses}
            onChange={setUses}
          />
          <Button type="submit" loading={make.isPending}>
            Make a token
          </Button>
        </Group>
      </form>
      {make.data && <p>Run this on the device. It is shown once.</p>}
      <Secret label="Line that enrols a device" text={make.data?.command} />
      <Problem error={make.error ?? tokens.error} />
      <Rows
        label="Enrolment tokens"
        head={['Name', 'Uses left', 'Ends', 'Revoke']}
        rows={tokens.items.map((token) => [
          token.name || token.id,
          `${token.uses_left} of ${token.uses}`,
          Date.parse(token.expires_at) < now
            ? 'ended'
            : new Date(token.expires_at).toLocaleString(),
          <Button size="compact-xs" variant="default" onClick={() => tokens.remove(token.id)}>
            Revoke {token.name || token.id}
          </Button>,
        ])}
      />
    </>
  );
}

function Users() {
  const users = useList<User>('users');
  const [person, setPerson] = useState({ name: '', email: '', password: '', role: 'technician' });
  const set = (part: Partial<typeof person>) => setPerson((before) => ({ ...before, ...part }));
  const make = useMutation({
    mutationFn: () => call('POST', `${API}/users`, person),
    onSuccess: users.again,
  });
  const change = useMutation({
    mutationFn: (user: User) =>
      call('PATCH', `${API}/users/${user.id}`, { disabled: !user.disabled }),
    onSuccess: users.again,
  });
  return (
    <>
      <h2>People</h2>
      <Rows
        label="People"
        head={['Name', 'E-mail', 'Role', 'Change']}
        rows={users.items.map((user) => [
          user.name,
          user.email,
          user.disabled ? `${user.role}, disabled` : user.role,
          <Button size="compact-xs" variant="default" onClick={() => change.mutate(user)}>
            {user.disabled ? 'Enable' : 'Disable'} {user.email}
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
            label="Name"
            required
            value={person.name}
            onChange={(e) => set({ name: e.currentTarget.value })}
          />
          <TextInput
            label="E-mail"
            type="email"
            required
            value={person.email}
            onChange={(e) => set({ email: e.currentTarget.value })}
          />
          <PasswordInput
            label="First password"
            required
            miw="12rem"
            autoComplete="new-password"
            value={person.password}
            onChange={(e) => set({ password: e.currentTarget.value })}
          />
          <NativeSelect
            label="Role"
            data={['owner', 'technician', 'read_only']}
            value={person.role}
            onChange={(e) => set({ role: e.currentTarget.value })}
          />
          <Button type="submit" loading={make.isPending}>
            Add the person
          </Button>
        </Group>
      </form>
      <Problem error={users.error ?? make.error ?? change.error} />
    </>
  );
}

function Keys() {
  const now = useNow();
  const me = useMe();
  const keys = useList<ApiKey>('api-keys');
  const [name, setName] = useState('');
  const make = useMutation({
    mutationFn: () =>
      call<MadeApiKey>('POST', `${API}/api-keys`, { name, scopes: me.data?.permissions ?? [] }),
    onSuccess: keys.again,
  });
  return (
    <>
      <h2>API keys</h2>
      <Rows
        label="API keys"
        head={['Name', 'May', 'Last used', 'Revoke']}
        rows={keys.items.map((key) => [
          key.name,
          key.scopes.join(', '),
          ago(key.last_used_at, now),
          <Button size="compact-xs" variant="default" onClick={() => keys.remove(key.id)}>
            Revoke {key.name}
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
            label="Key name"
            required
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
          />
          <Button type="submit" loading={make.isPending}>
            Make a key
          </Button>
        </Group>
      </form>
      <Secret label="The new key, shown once" text={make.data?.secret} />
      <Problem error={keys.error ?? make.error} />
    </>
  );
}

function Sessions() {
  const now = useNow();
  const sessions = useList<Session>('sessions');
  return (
    <>
      <h2>Sessions</h2>
      <Problem error={sessions.error} />
      <Rows
        label="Sessions"
        head={['Who', 'From', 'Browser', 'Last seen', 'End']}
        rows={sessions.items.map((session) => [
          session.user_email,
          session.remote_address,
          session.user_agent,
          ago(session.last_seen_at, now),
          session.current ? (
            'this one'
          ) : (
            <Button size="compact-xs" variant="default" onClick={() => sessions.remove(session.id)}>
              End session of {session.user_email}
            </Button>
          ),
        ])}
      />
    </>
  );
}
