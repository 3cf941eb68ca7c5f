import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link, useRouter, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { call, get } from '../api/client';
import type { Me, SetupState } from '../api/types';
import { useEntering, type Entered } from '../parts/entering';
import { useTitle } from '../parts/page';
import { knowsPasskeys, showPasskey } from '../parts/passkey';
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
  const router = useRouter();
  const { next } = useSearch({ from: '/sign-in' });
  const setup = useQuery({
    queryKey: ['setup'],
    queryFn: () => get<SetupState>('/api/auth/v1/setup'),
  });
  const { entered, step } = useEntering(() => router.history.push(within(next)));
  const signIn = useMutation({
    mutationFn: () => call<Entered>('POST', '/api/auth/v1/login', { email, password }),
    onSuccess: entered,
  });
  if (step) {
    return (
      <main className="narrow">
        <h1>Sign in</h1>
        {step}
      </main>
    );
  }
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
      {setup.data?.passkeys && knowsPasskeys() && <ByPasskey entered={entered} />}
      <Elsewhere providers={setup.data?.providers} />
      {setup.data?.mail && (
        <p>
          <Link to="/forgot">Forgot your password?</Link>
        </p>
      )}
    </main>
  );
}

/** Links, not requests: the browser goes there, and comes back signed in. */
function Elsewhere({ providers = [] }: { providers?: SetupState['providers'] }) {
  return providers.map(({ name, href }) => (
    <Button key={href} component="a" href={href} variant="default" mt="md" fullWidth>
      Sign in with {name}
    </Button>
  ));
}

function ByPasskey({ entered }: { entered: (me: Me) => void }) {
  const signIn = useMutation({
    mutationFn: async () => {
      const path = '/api/auth/v1/login/passkey';
      const { credential } = await showPasskey(`${path}/options`);
      return call<Me>('POST', path, { credential });
    },
    onSuccess: entered,
  });
  return (
    <Stack mt="md">
      <Problem error={signIn.error} />
      <Button variant="default" loading={signIn.isPending} onClick={() => signIn.mutate()}>
        Sign in with a passkey
      </Button>
    </Stack>
  );
}
