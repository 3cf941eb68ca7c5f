import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useRouter, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { call, get } from '../api/client';
import { signedIn } from '../api/queries';
import type { Me, SetupState } from '../api/types';
import { useTitle } from '../parts/page';
import { Problem } from '../parts/problem';

/** Where to go afterwards: a page of this console, never another site. */
export function within(next: string | undefined): string {
  const own = new URL(next ?? '/', window.location.origin);
  const elsewhere = own.origin !== window.location.origin || own.pathname.startsWith('//');
  if (elsewhere || own.pathname === '/sign-in') return '/';
  return own.pathname + own.search + own.hash;
}

export function SignInPage() {
  useTitle('Sign in');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const client = useQueryClient();
  const router = useRouter();
  const { next } = useSearch({ from: '/sign-in' });
  const setup = useQuery({
    queryKey: ['setup'],
    queryFn: () => get<SetupState>('/api/auth/v1/setup'),
  });
  const signIn = useMutation({
    mutationFn: () => call<Me>('POST', '/api/auth/v1/login', { email, password }),
    onSuccess: (me) => {
      // What somebody else was told is not shown to this one.
      client.getQueryCache().clear();
      signedIn(client, me);
      router.history.push(within(next));
    },
  });
  return (
    <main className="narrow">
      <h1>Sign in</h1>
      {next && <p>Your session has ended. After signing in you are back where you were.</p>}
      {setup.data?.needed && (
        <p>Nobody has set up this platform yet. Open the set-up link that the server printed.</p>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          signIn.mutate();
        }}
      >
        <Stack>
          <TextInput
            label="E-mail"
            type="email"
            autoComplete="username"
            required
            value={email}
            onChange={(event) => setEmail(event.currentTarget.value)}
          />
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <Problem error={signIn.error} />
          <Button type="submit" loading={signIn.isPending}>
            Sign in
          </Button>
        </Stack>
      </form>
    </main>
  );
}
