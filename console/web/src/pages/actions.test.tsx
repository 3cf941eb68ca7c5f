/** What changes something: what is sent, and that it is asked first. */
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { showConsole, type Request } from '../testing/console';
import { COMMAND, ME } from '../testing/answers';
import { HOSTILE } from '../testing/hostile';
import { Stream } from '../testing/stream';
import { act } from '@testing-library/react';

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

it.each([
  [
    '/access',
    'Revoke token office',
    '4 more devices can then not enrol',
    'DELETE /api/auth/v1/enrolment-tokens/et1',
  ],
  ['/access', `Turn away ${HOSTILE}`, 'does not come in', 'DELETE /api/auth/v1/waiting-devices/d9'],
  ['/access', 'Revoke key grafana', 'this one key', 'DELETE /api/auth/v1/api-keys/k1'],
  ['/access', 'Remove program wiki', 'tokens are dead', 'DELETE /api/auth/v1/oauth-clients/c1'],
  ['/access', 'Take back what wiki may', 'in your name', 'DELETE /api/auth/v1/me/consents/c1'],
  [
    '/access',
    'End session of bob@example.org at 192.0.2.9',
    'signed out',
    'DELETE /api/auth/v1/sessions/s1',
  ],
  [
    '/alerts',
    'Remove rule memory in use',
    '1 channel will hear',
    'DELETE /api/monitoring/v1/rules/r1',
  ],
  ['/alerts', 'Remove channel pager', '1 rule named it', 'DELETE /api/monitoring/v1/channels/ch1'],
  [
    '/devices/d1',
    `Retire ${HOSTILE}`,
    'This one device is removed',
    'DELETE /api/devices/v1/devices/d1',
  ],
])('%s: asks before "%s"', async (path, button, says, request) => {
  const { asked } = showConsole(path, { [request]: 204 });
  await screen.findByRole('button', { name: button });
  expect(sent(asked, 'DELETE')).toEqual([]);
  await agree(button, says);
  expect(sent(asked, 'DELETE')).toEqual([[request.replace('DELETE ', ''), undefined]]);
});

it('does nothing when one does not agree, and keeps the question open when it fails', async () => {
  const { asked } = showConsole('/access', { 'DELETE /api/auth/v1/api-keys/k1': 409 });
  await press('Revoke key grafana');
  const dialog = await screen.findByRole('dialog');
  fireEvent.click(within(dialog).getByRole('button', { name: 'Revoke' }));
  await within(dialog).findByText('refused with 409; ask the owner');
  fireEvent.click(within(dialog).getByRole('button', { name: 'Cancel' }));
  expect(screen.queryByRole('dialog')).toBeNull();
  await press('Revoke key grafana');
  fireEvent.click(await screen.findByRole('button', { name: 'Cancel' }));
  expect(sent(asked, 'DELETE')).toHaveLength(1);
});

it('says that a device is in quarantine, and re-admits it', async () => {
  const { asked } = showConsole('/devices/d1', {
    'GET /api/auth/v1/quarantine': {
      items: [{ device_id: 'd1', since: '2026-01-01T00:00:00Z' }],
    },
    'POST /api/auth/v1/devices/d1/readmit': 204,
  });
  await screen.findByText(/Two copies of this device/);
  await agree(`Re-admit ${HOSTILE}`, 'remove the other one before');
  expect(sent(asked, 'POST')).toContainEqual(['/api/auth/v1/devices/d1/readmit', undefined]);
});

it('changes a role and disables a person', async () => {
  const { asked } = showConsole('/access', { 'PATCH /api/auth/v1/users/u2': {} });
  await screen.findByText('Bob');
  type('Role of bob@example.org', 'read_only');
  await agree('Change role of bob@example.org', 'From technician to read only');
  await agree('Disable bob@example.org', 'signed out everywhere');
  expect(sent(asked, 'PATCH')).toEqual([
    ['/api/auth/v1/users/u2', { role: 'read_only' }],
    ['/api/auth/v1/users/u2', { disabled: true }],
  ]);
});

it('makes a password link and shows it once', async () => {
  const made = { url: 'https://id/password#token=of_pl_1', expires_at: '2026-01-01T00:00:00Z' };
  const { asked } = showConsole('/access', { 'POST /api/auth/v1/users/u2/password-link': made });
  await press('New password link for bob@example.org');
  await screen.findByText('https://id/password#token=of_pl_1');
  expect(sent(asked, 'POST')).toEqual([['/api/auth/v1/users/u2/password-link', undefined]]);
});

it('asks for a link by mail, and does not say who is here', async () => {
  const { asked } = showConsole('/sign-in', { 'POST /api/auth/v1/password/forgot': 204 });
  fireEvent.click(await screen.findByRole('link', { name: 'Forgot your password?' }));
  await screen.findByRole('heading', { name: 'Forgot your password?' });
  type(/^E-mail/, 'ann@example.org');
  await press('Send the link');
  await screen.findByText(/^If anybody has this mail address here/);
  expect(sent(asked, 'POST')).toEqual([
    ['/api/auth/v1/password/forgot', { email: 'ann@example.org' }],
  ]);
});

it('chooses a password by a link, and is signed in', async () => {
  window.location.hash = '#token=of_pl_1';
  const { asked, router } = showConsole('/password', { 'POST /api/auth/v1/password': ME });
  await screen.findByRole('heading', { name: 'Choose a password' });
  type(/^New password/, 'a good long one');
  await press('Set the password and sign in');
  await waitFor(() => expect(router.state.location.pathname).toBe('/'));
  window.location.hash = '';
  expect(sent(asked, 'POST')).toEqual([
    ['/api/auth/v1/password', { token: 'of_pl_1', password: 'a good long one' }],
  ]);
});

it('makes a key with the chosen scopes and days, and shows its secret', async () => {
  const made = { key: {}, secret: 'of_ak_secret' };
  const { asked } = showConsole('/access', { 'POST /api/auth/v1/api-keys': made });
  const form = await screen.findByRole('form', { name: 'New key' });
  type(/^Key name/, 'ci');
  const button = within(form).getByRole('button', { name: 'Make a key' });
  expect((button as HTMLButtonElement).disabled).toBe(true);
  fireEvent.click(await within(form).findByLabelText('devices:read'));
  type('Days it is good for', '7');
  fireEvent.click(button);
  await screen.findByText('of_ak_secret');
  expect(sent(asked, 'POST')).toEqual([
    ['/api/auth/v1/api-keys', { name: 'ci', scopes: ['devices:read'], expires_in_days: 7 }],
  ]);
});

it('registers a program and shows what it needs', async () => {
  const client = { id: 'c2', name: 'wiki' };
  const made = { client, secret: 'of_cs_secret', issuer: 'https://id/t/main' };
  const { asked } = showConsole('/access', { 'POST /api/auth/v1/oauth-clients': made });
  const form = await screen.findByRole('form', { name: 'New program' });
  type(/^Name that people are shown/, 'wiki');
  type(/^Addresses it goes back to/, 'https://a/cb\n https://b/cb ');
  type(/^Addresses after a logout/, 'https://a/bye');
  type(/^Address that is told of logouts/, ' https://a/told');
  type(/^Keys that it signs with/, '{"keys":[]}');
  fireEvent.click(within(form).getByLabelText('email'));
  fireEvent.click(within(form).getByLabelText('It sends its requests ahead of the browser'));
  fireEvent.click(within(form).getByRole('button', { name: 'Register the program' }));
  await screen.findByText(/client_secret of_cs_secret/);
  expect(sent(asked, 'POST')).toEqual([
    [
      '/api/auth/v1/oauth-clients',
      {
        name: 'wiki',
        redirect_uris: ['https://a/cb', 'https://b/cb'],
        post_logout_redirect_uris: ['https://a/bye'],
        backchannel_logout_uri: 'https://a/told',
        jwks: { keys: [] },
        more_grants: [],
        demands: ['pushed_requests'],
        scopes: ['openid', 'email'],
        public: false,
        own_behalf: false,
      },
    ],
  ]);
});

it('makes a signing key, and revokes all others after asking', async () => {
  const made = { kid: 'key2', stage: 'staged' };
  const { asked } = showConsole('/access', { 'POST /api/auth/v1/signing-keys': made });
  await press('New key, signs in a day');
  await waitFor(() => expect(sent(asked, 'POST')).toHaveLength(1));
  await agree('Revoke all signing keys', 'good no more');
  expect(sent(asked, 'POST')).toEqual([
    ['/api/auth/v1/signing-keys', {}],
    ['/api/auth/v1/signing-keys', { now: true, revoke: true }],
  ]);
});

it('tells of a token how many have enrolled and how many still can', async () => {
  showConsole('/access');
  const table = await screen.findByRole('table', { name: 'Enrolment tokens' });
  const cells = within(table)
    .getAllByRole('cell')
    .map((cell) => cell.textContent);
  expect(cells.slice(0, 3)).toEqual(['office', '1', '4']);
});

it('tries a rule before it is made, and changes one', async () => {
  const { asked } = showConsole('/alerts', { 'PUT /api/monitoring/v1/rules/r1': {} });
  await press('Change memory in use');
  await press('Try it');
  await screen.findByText('It finds 1 series now: as many alerts.');
  type(/^Seconds it must hold/, '5');
  await press('Save the rule');
  await waitFor(() => expect(sent(asked, 'PUT')).toHaveLength(1));
  const [[, body] = []] = sent(asked, 'PUT');
  expect(body).toMatchObject({ for_s: 5, channels: ['ch1'] });
  expect(body).not.toHaveProperty('state');
});

it('runs a command and shows what it writes as text, while it writes', async () => {
  const running = { ...COMMAND, state: 'running', finished: false };
  const { asked } = showConsole('/devices/d1', {
    'POST /api/devices/v1/devices/d1/commands': running,
  });
  await screen.findByRole('heading', { name: 'Run a command' });
  type(/^Script/, 'uname -a');
  await press('Run');
  const region = await screen.findByRole('region', { name: 'Output' });
  const stream = Stream.of('/api/devices/v1/commands/c1/stream');
  const output = (text: string, complete: boolean) => ({ chunks: [{ text }], next: 1, complete });
  act(() => {
    stream.onopen?.();
    stream.tell(running, 'command');
    stream.tell(output(HOSTILE, false), 'output');
  });
  await within(region).findByText('running');
  expect(region.textContent).toContain(HOSTILE);
  act(() => {
    stream.tell(COMMAND, 'command');
    stream.tell(output(' end', true), 'output');
  });
  expect(region.textContent).toContain('succeeded');
  expect(document.querySelector('img')).toBeNull();
  expect(sent(asked, 'POST')).toEqual([
    ['/api/devices/v1/devices/d1/commands', { script: 'uname -a', timeout_s: 60 }],
  ]);
});

it('does not offer what one may not do', async () => {
  const permissions = ['devices:read', 'telemetry:read'];
  showConsole('/devices/d1', {
    'GET /api/auth/v1/me': { ...ME, permissions, permissions_somewhere: permissions },
  });
  await screen.findByText('Your role may not run commands.');
  expect(screen.queryByRole('button', { name: /Retire/ })).toBeNull();
});

it('keeps what is looked for in the address', async () => {
  const { asked, router } = showConsole('/devices?filter=os:linux');
  fireEvent.click(await screen.findByLabelText('online (1)'));
  type(/^Search/, 'vm');
  await press('Last heard of');
  const wanted = { q: 'vm', filter: 'os:linux,presence:online', sort: 'last_seen' };
  await waitFor(() => expect(router.state.location.search).toEqual(wanted));
  await waitFor(() => {
    const last = new URL(asked.at(-1)?.path ?? '', 'https://x.test').searchParams;
    expect(Object.fromEntries(last)).toMatchObject(wanted);
  });
});

it('sets up the first owner with the token of the link', async () => {
  window.location.hash = '#token=of_su_1';
  const { asked, router } = showConsole('/setup', { 'POST /api/auth/v1/setup': ME });
  await screen.findByRole('heading', { name: 'Set up OpenFrame' });
  type(/^Your name/, 'Ann');
  type(/^E-mail/, 'ann@example.org');
  type(/^Password/, 'long enough');
  await press('Create the owner');
  await waitFor(() => expect(router.state.location.pathname).toBe('/'));
  window.location.hash = '';
  expect(sent(asked, 'POST')[0]?.[1]).toMatchObject({ token: 'of_su_1', name: 'Ann' });
});

it('changes the password and goes on with the new session', async () => {
  const { asked } = showConsole('/access', {
    'POST /api/auth/v1/me/password': { ...ME, csrf_token: 'another' },
    'DELETE /api/auth/v1/sessions/s1': 204,
  });
  await screen.findByRole('heading', { name: 'My password' });
  type(/^Current password/, 'the old one');
  type(/^New password/, 'a better one');
  await press('Change the password');
  await screen.findByText('The password is changed.');
  expect(sent(asked, 'POST')).toEqual([
    ['/api/auth/v1/me/password', { current: 'the old one', new: 'a better one' }],
  ]);
  await agree('End session of bob@example.org at 192.0.2.9', 'signed out');
  expect(asked.find((it) => it.method === 'DELETE')?.csrf).toBe('another');
});
