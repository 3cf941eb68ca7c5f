/** Inviting people, joining, and one's own mail address: what is sent. */
import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { ANN, BOB, ME } from '../testing/answers';
import { showConsole, type Request } from '../testing/console';

const press = async (name: string | RegExp) =>
  fireEvent.click(await screen.findByRole('button', { name }));
const type = (label: string | RegExp, value: string) =>
  fireEvent.change(screen.getByLabelText(label), { target: { value } });
const sent = (asked: Request[], method: string) =>
  asked.filter((it) => it.method === method).map(({ path, body }) => [path, body]);

/** Presses a button, reads what it asks, and agrees. */
async function agree(name: string, says: string) {
  await press(name);
  const dialog = await screen.findByRole('dialog', { name });
  expect(dialog.textContent).toContain(says);
  const verbs = within(dialog).getAllByRole('button');
  fireEvent.click(verbs.at(-1) as HTMLElement);
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
}

it('invites a person, whose link goes to the mailbox or is shown once', async () => {
  const made = { user: { ...BOB, email: 'new@example.org' }, expires_at: '2026-01-01T00:00:00Z' };
  const url = 'https://id/invitation#token=of_in_1';
  for (const answer of [made, { ...made, url }]) {
    const { asked } = showConsole('/access', { 'POST /api/auth/v1/invitations': answer });
    const form = await screen.findByRole('form', { name: 'Invitation' });
    fireEvent.change(within(form).getByLabelText(/^E-mail/), {
      target: { value: 'new@example.org' },
    });
    fireEvent.click(within(form).getByRole('button', { name: 'Invite' }));
    await screen.findByText('url' in answer ? url : /is on its way to new@example.org/);
    expect(sent(asked, 'POST')).toEqual([
      ['/api/auth/v1/invitations', { email: 'new@example.org', role: 'technician' }],
    ]);
    cleanup();
  }
});

it('invites again, and takes an invitation back', async () => {
  const user = { ...BOB, invited_until: '2026-01-01T00:00:00Z' };
  const path = '/api/auth/v1/users/u2/invitation';
  const { asked } = showConsole('/access', {
    'GET /api/auth/v1/users': { items: [ANN, user] },
    [`POST ${path}`]: { user, expires_at: '2026-01-01T00:00:00Z' },
    [`DELETE ${path}`]: 204,
  });
  await press('Invite bob@example.org again');
  await screen.findByText(/is on its way to bob@example.org/);
  expect(sent(asked, 'POST')).toEqual([[path, undefined]]);
  await agree('Take back the invitation of bob@example.org', 'forgotten');
  expect(sent(asked, 'DELETE')).toEqual([[path, undefined]]);
});

it('joins by an invitation, and is signed in', async () => {
  window.location.hash = '#token=of_in_1';
  const { asked, router } = showConsole('/invitation', { 'POST /api/auth/v1/invitation': ME });
  await screen.findByRole('heading', { name: 'Join' });
  type(/^Your name/, 'Bob');
  type(/^Your password/, 'a good long one');
  await press('Join and sign in');
  await waitFor(() => expect(router.state.location.pathname).toBe('/'));
  window.location.hash = '';
  expect(sent(asked, 'POST')).toEqual([
    ['/api/auth/v1/invitation', { token: 'of_in_1', name: 'Bob', password: 'a good long one' }],
  ]);
});

it('asks for another mail address, and confirms it when asked to only', async () => {
  const { asked } = showConsole('/access', { 'POST /api/auth/v1/me/email': 204 });
  const form = await screen.findByRole('form', { name: 'Change of mail address' });
  type(/^New address/, 'new@example.org');
  fireEvent.click(within(form).getByRole('button', { name: 'Send the link' }));
  await screen.findByText(/^A link is on its way to new@example.org/);
  expect(sent(asked, 'POST')).toEqual([['/api/auth/v1/me/email', { email: 'new@example.org' }]]);
  cleanup();
  window.location.hash = '#token=of_el_1';
  const confirming = showConsole('/email', { 'POST /api/auth/v1/email': 204 });
  await screen.findByRole('heading', { name: 'Confirm your mail address' });
  expect(sent(confirming.asked, 'POST')).toEqual([]);
  await press('Confirm');
  await screen.findByText(/^This mail address is yours now/);
  window.location.hash = '';
  expect(sent(confirming.asked, 'POST')).toEqual([['/api/auth/v1/email', { token: 'of_el_1' }]]);
});
