/** Asks in place, whenever the platform wants a fresh sign-in, and lets the request go on. */
import { Button, PasswordInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { call, get, onStepUp } from '../api/client';
import { signedIn } from '../api/queries';
import type { Factors, Me } from '../api/types';
import { Code } from './code';
import { Dialog } from './dialog';
import { knowsPasskeys, showPasskey } from './passkey';
import { Problem } from './problem';

type Answer = (done: boolean) => void;

export function StepUp() {
  const [waiting, setWaiting] = useState<Answer[]>([]);
  useEffect(
    () =>
      onStepUp(() => new Promise<boolean>((answer) => setWaiting((before) => [...before, answer]))),
    [],
  );
  if (waiting.length === 0) return null;
  const answer = (done: boolean) => {
    setWaiting([]);
    for (const tell of waiting) tell(done);
  };
  return <Ask answer={answer} />;
}

function Ask({ answer }: { answer: Answer }) {
  const client = useQueryClient();
  const [password, setPassword] = useState('');
  const factors = useQuery({
    queryKey: ['factors'],
    queryFn: () => get<Factors>('/api/auth/v1/me/factors'),
  });
  const show = useMutation({
    mutationFn: async (shown: { code: string } | { password: string } | 'passkey') => {
      const path = '/api/auth/v1/me/step-up';
      if (shown !== 'passkey') return call<Me>('POST', path, shown);
      const { credential, held } = await showPasskey(`${path}/options`);
      return call<Me>('POST', path, { passkey: credential, held });
    },
    onSuccess: (me) => {
      signedIn(client, me);
      answer(true);
    },
  });
  const own = factors.data;
  const hasFactor = own && (own.totp_since || own.passkeys > 0);
  return (
    <Dialog label="Show that it is you" onClose={() => answer(false)}>
      <h2>Show that it is you</h2>
      <p>You signed in a while ago, and this gives or takes authority.</p>
      <Problem error={factors.error} />
      {own && own.passkeys > 0 && knowsPasskeys() && (
        <p>
          <Button loading={show.isPending} onClick={() => show.mutate('passkey')}>
            Use a passkey
          </Button>
        </p>
      )}
      {hasFactor && (
        <Code
          label="Second factor"
          verb="Go on"
          busy={show.isPending}
          error={show.error}
          send={(code) => show.mutate({ code })}
        />
      )}
      {own && !hasFactor && (
        <form
          aria-label="Password"
          onSubmit={(event) => {
            event.preventDefault();
            show.mutate({ password });
          }}
        >
          <PasswordInput
            label="Your password"
            required
            autoFocus
            autoComplete="current-password"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          <Problem error={show.error} />
          <Button type="submit" loading={show.isPending}>
            Go on
          </Button>
        </form>
      )}
      <Button variant="default" onClick={() => answer(false)}>
        Cancel
      </Button>
    </Dialog>
  );
}
