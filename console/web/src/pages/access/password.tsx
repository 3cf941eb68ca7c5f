/** One's own password. */
import { Button, PasswordInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { call } from '../../api/client';
import { signedIn } from '../../api/queries';
import type { Me } from '../../api/types';
import { Problem } from '../../parts/problem';

const EMPTY = { current: '', new: '' };

export function Password() {
  const [typed, setTyped] = useState(EMPTY);
  const client = useQueryClient();
  const change = useMutation({
    mutationFn: () => call<Me>('POST', '/api/auth/v1/me/password', typed),
    onSuccess: (me) => {
      signedIn(client, me);
      setTyped(EMPTY);
      return client.invalidateQueries({ queryKey: ['sessions'] });
    },
  });
  const set = (part: Partial<typeof typed>) => setTyped((before) => ({ ...before, ...part }));
  return (
    <section className="panel" aria-label="My password">
      <h2>My password</h2>
      <form
        className="form"
        aria-label="Change of password"
        onSubmit={(event) => {
          event.preventDefault();
          change.mutate();
        }}
      >
        <PasswordInput
          label="Current password"
          required
          autoComplete="current-password"
          value={typed.current}
          onChange={(event) => set({ current: event.currentTarget.value })}
        />
        <PasswordInput
          label="New password"
          description="Signs you out everywhere else; API keys stay"
          required
          autoComplete="new-password"
          value={typed.new}
          onChange={(event) => set({ new: event.currentTarget.value })}
        />
        <Button type="submit" loading={change.isPending}>
          Change the password
        </Button>
        <Problem error={change.error} />
        {change.isSuccess && <p role="status">The password is changed.</p>}
      </form>
    </section>
  );
}
