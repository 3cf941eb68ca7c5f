import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { call } from '../api/client';
import { signedIn } from '../api/queries';
import type { Me } from '../api/types';
import { useTitle } from '../parts/page';
import { Problem } from '../parts/problem';

/** The token of the set-up link. It is behind `#`, so that it is in no server's log. */
function tokenOf(hash: string): string {
  return new URLSearchParams(hash.replace(/^#/, '')).get('token') ?? '';
}

export function SetupPage() {
  useTitle('Set up');
  const [token] = useState(() => tokenOf(window.location.hash));
  const [person, setPerson] = useState({ name: '', email: '', password: '' });
  const client = useQueryClient();
  const navigate = useNavigate();
  const setUp = useMutation({
    mutationFn: () => call<Me>('POST', '/api/auth/v1/setup', { token, ...person }),
    onSuccess: (me) => {
      signedIn(client, me);
      void navigate({ to: '/' });
    },
  });
  const change = (name: keyof typeof person) => (event: React.ChangeEvent<HTMLInputElement>) => {
    const { value } = event.currentTarget;
    setPerson((before) => ({ ...before, [name]: value }));
  };
  return (
    <main className="narrow">
      <h1>Set up OpenFrame</h1>
      <p>You become the first owner: the person who may do everything and invite others.</p>
      {token === '' && (
        <Problem error="This link has no token: open the one that the server printed." />
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setUp.mutate();
        }}
      >
        <Stack>
          <TextInput
            label="Your name"
            required
            autoComplete="name"
            value={person.name}
            onChange={change('name')}
          />
          <TextInput
            label="E-mail"
            type="email"
            required
            autoComplete="username"
            value={person.email}
            onChange={change('email')}
          />
          <PasswordInput
            label="Password"
            description="At least 8 characters, and not one of the common ones"
            required
            autoComplete="new-password"
            value={person.password}
            onChange={change('password')}
          />
          <Problem error={setUp.error} />
          <Button type="submit" loading={setUp.isPending} disabled={token === ''}>
            Create the owner
          </Button>
        </Stack>
      </form>
    </main>
  );
}
