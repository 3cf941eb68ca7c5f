import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { call } from '../api/client';
import { useEntering, type Entered } from '../parts/entering';
import { useLinkToken } from '../parts/link';
import { useTitle } from '../parts/page';
import { Problem } from '../parts/problem';

/** Where an invitation leads. */
export function InvitationPage() {
  useTitle('Join');
  const token = useLinkToken();
  const [typed, setTyped] = useState({ name: '', password: '' });
  const navigate = useNavigate();
  const { entered, step } = useEntering(() => void navigate({ to: '/' }));
  const accept = useMutation({
    mutationFn: () => call<Entered>('POST', '/api/auth/v1/invitation', { token, ...typed }),
    onSuccess: entered,
  });
  if (step) {
    return (
      <main className="narrow">
        <h1>Join</h1>
        {step}
      </main>
    );
  }
  return (
    <main className="narrow">
      <h1>Join</h1>
      <p>You are invited to OpenFrame. This link is good once.</p>
      {token === '' && (
        <Problem error="This link has no token: open the one that you were given." />
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          accept.mutate();
        }}
      >
        <Stack>
          <TextInput
            label="Your name"
            autoComplete="name"
            required
            value={typed.name}
            onChange={(event) => {
              const name = event.currentTarget.value;
              setTyped((before) => ({ ...before, name }));
            }}
          />
          <PasswordInput
            label="Your password"
            description="At least 8 characters, and not one of the common ones"
            required
            autoComplete="new-password"
            value={typed.password}
            onChange={(event) => {
              const password = event.currentTarget.value;
              setTyped((before) => ({ ...before, password }));
            }}
          />
          <Problem error={accept.error} />
          <Button type="submit" loading={accept.isPending} disabled={token === ''}>
            Join and sign in
          </Button>
        </Stack>
      </form>
    </main>
  );
}
