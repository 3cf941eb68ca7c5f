/** Who is invited, and has not accepted yet. */
import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useState } from 'react';
import { call } from '../../api/client';
import { useChange } from '../../api/queries';
import type { Invitation, User } from '../../api/types';
import { instant } from '../../format';
import { Danger } from '../../parts/dialog';
import { Problem } from '../../parts/problem';
import { Secret } from '../../parts/secret';
import { ROLES } from './roles';

/** Where the link is: in the person's mailbox, or here, this once. */
function Sent({ invitation }: { invitation?: Invitation }) {
  if (!invitation) return null;
  const { user, url } = invitation;
  if (!url) return <p role="status">An invitation is on its way to {user.email}.</p>;
  return (
    <Secret
      label="The invitation"
      lead={`Hand this to ${user.email} now: it is shown once, and good for 72 hours.`}
      text={url}
    />
  );
}

const NOBODY = { email: '', role: 'technician' };

export function Invite() {
  const [person, setPerson] = useState(NOBODY);
  const invite = useChange('users', async () => {
    const made = await call<Invitation>('POST', '/api/auth/v1/invitations', person);
    setPerson(NOBODY);
    return made;
  });
  const set = (part: Partial<typeof person>) => setPerson((before) => ({ ...before, ...part }));
  return (
    <form
      className="form"
      aria-label="Invitation"
      onSubmit={(event) => {
        event.preventDefault();
        invite.mutate(undefined);
      }}
    >
      <TextInput
        label="E-mail"
        description="The link goes there"
        type="email"
        required
        value={person.email}
        onChange={(event) => set({ email: event.currentTarget.value })}
      />
      <NativeSelect
        label="Role"
        data={ROLES}
        value={person.role}
        onChange={(event) => set({ role: event.currentTarget.value })}
      />
      <Button type="submit" loading={invite.isPending}>
        Invite
      </Button>
      <Problem error={invite.error} />
      <Sent invitation={invite.data} />
    </form>
  );
}

/** What can be done with a person who has not accepted. */
export function Invited({ user }: { user: User }) {
  const path = `/api/auth/v1/users/${encodeURIComponent(user.id)}/invitation`;
  const again = useChange('users', () => call<Invitation>('POST', path));
  const withdraw = useChange('users', () => call('DELETE', path));
  return (
    <span className="actions">
      {user.invited_until && <span>until {instant(user.invited_until)}</span>}
      <Button
        size="compact-xs"
        variant="default"
        aria-label={`Invite ${user.email} again`}
        loading={again.isPending}
        onClick={() => again.mutate(undefined)}
      >
        Invite again
      </Button>
      <Danger
        verb="Take back"
        thing={`the invitation of ${user.email}`}
        consequence="The link is dead then, and this one person is forgotten."
        act={() => withdraw.mutateAsync(undefined)}
      />
      <Problem error={again.error} />
      <Sent invitation={again.data} />
    </span>
  );
}
