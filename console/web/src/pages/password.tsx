import { Button, PasswordInput, Stack } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { call } from '../api/client';
import { useEntering, type Entered } from '../parts/entering';
import { useLinkToken } from '../parts/link';
import { useTitle } from '../parts/page';
import { Problem } from '../parts/problem';

/** Where the link leads that an owner has handed out. */
export function PasswordPage() {
  useTitle('Choose a password');
  const token = useLinkToken();
  const [password, setPassword] = useState('');
  const navigate = useNavigate();
  const { entered, step } = useEntering(() => void navigate({ to: '/' }));
  const choose = useMutation({
    mutationFn: () => call<Entered>('POST', '/api/auth/v1/password', { token, password }),
    onSuccess: entered,
  });
  if (step) {
    return (
      <main className="narrow">
        <h1>Choose a password</h1>
        {step}
      </main>
    );
  }
  return (
    <main className="narrow">
      <h1>Choose a password</h1>
      <p>This link is good once. You are signed out everywhere else.</p>
      {token === '' && (
        <Problem error="This link has no token: open the one that you were given." />
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          choose.mutate();
        }}
      >
        <Stack>
          <PasswordInput
            label="New password"
            description="At least 8 characters, and not one of the common ones"
            required
            autoComplete="new-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <Problem error={choose.error} />
          <Button type="submit" loading={choose.isPending} disabled={token === ''}>
            Set the password and sign in
          </Button>
        </Stack>
      </form>
    </main>
  );
}
