/** One's own mail address. */
import { Button, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { call } from '../../api/client';
import { useMe } from '../../api/queries';
import { Problem } from '../../parts/problem';

export function Email() {
  const me = useMe().data?.user;
  const [email, setEmail] = useState('');
  const ask = useMutation({
    mutationFn: (wanted: string) => call('POST', '/api/auth/v1/me/email', { email: wanted }),
    onSuccess: () => setEmail(''),
  });
  return (
    <section className="panel" aria-label="My mail address">
      <h2>My mail address</h2>
      {me && (
        <p>
          {me.email}: {me.email_verified ? 'verified' : 'not verified'}
        </p>
      )}
      <form
        className="form"
        aria-label="Change of mail address"
        onSubmit={(event) => {
          event.preventDefault();
          ask.mutate(email);
        }}
      >
        <TextInput
          label="New address"
          description="It is yours once you use the link that is sent there; the old one is told"
          type="email"
          required
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
        />
        <Button type="submit" loading={ask.isPending}>
          Send the link
        </Button>
        {me && !me.email_verified && (
          <Button variant="default" onClick={() => ask.mutate(me.email)}>
            Verify the one of now
          </Button>
        )}
        <Problem error={ask.error} />
        {ask.isSuccess && (
          <p role="status">A link is on its way to {ask.variables}. It is good for 24 hours.</p>
        )}
      </form>
    </section>
  );
}
