import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { call } from '../api/client';
import { useEntering, type Entered } from '../parts/entering';
import { useLinkToken } from '../parts/link';
import { useTitle } from '../parts/page';
import { Problem } from '../parts/problem';

export function SetupPage() {
  useTitle('Set up');
  const token = useLinkToken();
  const [person, setPerson] = useState({ name: '', email: '', password: '' });
  const navigate = useNavigate();
  const { entered, step } = useEntering(() => void navigate({ to: '/' }));
  const setUp = useMutation({
    mutationFn: () => call<Entered>('POST', '/api/auth/v1/setup', { token, ...person }),
    onSuccess: entered,
  });
  const change = (name: keyof typeof person) => (event: React.ChangeEvent<HTMLInputElement>) => {
    const { value } = event.currentTarget;
    setPerson((before) => ({ ...before, [name]: value }));
  };
  if (step) {
    return (
      <main className="narrow">
        <h1>Set up OpenFrame</h1>
        {step}
      </main>
    );
  }
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
