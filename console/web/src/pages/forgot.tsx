import { Button, Stack, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { call } from '../api/client';
import { useTitle } from '../parts/page';
import { Problem } from '../parts/problem';

/** Where who has forgotten a password asks for a link by mail. */
export function ForgotPage() {
  useTitle('Forgot your password?');
  const [email, setEmail] = useState('');
  const ask = useMutation({
    mutationFn: () => call('POST', '/api/auth/v1/password/forgot', { email }),
  });
  return (
    <main className="narrow">
      <h1>Forgot your password?</h1>
      {ask.isSuccess ? (
        <p role="status">
          If anybody has this mail address here, a link is on its way. It is good for 15 minutes.
        </p>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            ask.mutate();
          }}
        >
          <Stack>
            <TextInput
              label="E-mail"
              description="The link is sent there"
              type="email"
              autoComplete="username"
              required
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
            />
            <Problem error={ask.error} />
            <Button type="submit" loading={ask.isPending}>
              Send the link
            </Button>
          </Stack>
        </form>
      )}
      <p>
        <Link to="/sign-in">Back to signing in</Link>
      </p>
    </main>
  );
}
