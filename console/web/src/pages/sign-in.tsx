import { Button, PasswordInput, Stack, TextInput, Title } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { call, get, setCsrf } from '../api/client';
import type { Me, SetupState } from '../api/types';
import { Problem } from '../parts/problem';

export function SignInPage() {
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const client = useQueryClient();
  const navigate = useNavigate();
  const setup = useQuery({
    queryKey: ['setup'],
    queryFn: () => get<SetupState>('/api/auth/v1/setup'),
  });
  const signIn = useMutation({
    mutationFn: () => call<Me>('POST', '/api/auth/v1/login', { email, password }),
    onSuccess: (me) => {
      setCsrf(me.csrf_token);
      client.setQueryData(['me'], me);
      void navigate({ to: '/' });
    },
  });
  return (
    <main className="narrow">
      <Title order={1}>Sign in</Title>
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
