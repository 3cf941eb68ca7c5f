/** Second factors: signing in with one, enrolling one, and being asked anew. */
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { afterEach, expect, it, vi } from 'vitest';
import { FACTORS, ME, PASSKEY } from '../testing/answers';
import { showConsole, type Request } from '../testing/console';

const press = async (name: string | RegExp) =>
  fireEvent.click(await screen.findByRole('button', { name }));
afterEach(() => vi.unstubAllGlobals());

/** A label of what is required ends with a mark. */
const labelled = (label: string) => new RegExp(`^${label}`);
const type = async (label: string, value: string) =>
  fireEvent.change(await screen.findByLabelText(labelled(label)), { target: { value } });
const sent = (asked: Request[], path: string) =>
  asked.filter((it) => it.method !== 'GET' && it.path.endsWith(path)).map(({ body }) => body);

const ENROLMENT = { secret: 'KEY', uri: 'otpauth://totp/x', qr_svg: '<svg></svg>' };
const CONFIRMED = { me: { ...ME, csrf_token: 'another' }, recovery_codes: ['one', 'two'] };

async function signIn() {
  await type('E-mail', 'ann@example.org');
  await type('Password', 'a good long one');
  await press('Sign in');
}

it('signs in with a code after the password', async () => {
  const { asked, router } = showConsole('/sign-in', {
    'POST /api/auth/v1/login': { next: 'code' },
    'POST /api/auth/v1/login/code': ME,
  });
  await signIn();
  const form = await screen.findByRole('form', { name: 'Second factor' });
  await type('Code', '123456');
  fireEvent.click(within(form).getByRole('button'));
  await waitFor(() => expect(router.state.location.pathname).toBe('/'));
  expect(sent(asked, '/login/code')).toEqual([{ code: '123456' }]);
});

it('enrols an app where everybody needs one, and shows the recovery codes first', async () => {
  const { asked, router } = showConsole('/sign-in', {
    'POST /api/auth/v1/login': { next: 'enrol' },
    'POST /api/auth/v1/login/totp': ENROLMENT,
    'POST /api/auth/v1/login/totp/confirm': CONFIRMED,
  });
  await signIn();
  await press('Enrol an authenticator app');
  await screen.findByAltText('QR code of the key');
  await type('Code', '123456');
  await press('Confirm');
  const codes = await screen.findByLabelText('The recovery codes');
  expect(codes.textContent).toBe('one\ntwo');
  expect(router.state.location.pathname).toBe('/sign-in');
  await press('I have kept them');
  await waitFor(() => expect(router.state.location.pathname).toBe('/'));
  expect(sent(asked, '/confirm')).toEqual([{ code: '123456' }]);
});

it('enrols an app on the Access page', async () => {
  const { asked } = showConsole('/access', {
    'POST /api/auth/v1/me/factors/totp': ENROLMENT,
    'POST /api/auth/v1/me/factors/totp/confirm': CONFIRMED,
  });
  await screen.findByText('Your password alone lets you in.');
  await press('Enrol an authenticator app');
  await press('Show the key');
  await type('Code', '123456');
  await press('Confirm');
  await screen.findByLabelText('The recovery codes');
  expect(sent(asked, '/totp/confirm')).toEqual([{ code: '123456' }]);
  await press('I have kept them');
  expect(screen.queryByLabelText('The recovery codes')).toBeNull();
});

it.each([
  [FACTORS, 'Your password', { password: 'shown' }],
  [{ ...FACTORS, totp_since: '2026-01-01T00:00:00Z' }, 'Code', { code: 'shown' }],
  [{ ...FACTORS, passkeys: 1 }, 'Code', { code: 'shown' }],
])('asks in place for a fresh sign-in, and goes on', async (factors, label, shown) => {
  let fresh = false;
  const { asked } = showConsole('/access', {
    'GET /api/auth/v1/me/factors': factors,
    'PUT /api/auth/v1/settings': () => (fresh ? {} : { status: 403, code: 'step_up_needed' }),
    'POST /api/auth/v1/me/step-up': () => {
      fresh = true;
      return { ...ME, csrf_token: 'another' };
    },
  });
  await press('Require a second factor');
  fireEvent.click(
    within(await screen.findByRole('dialog')).getByRole('button', { name: 'Require' }),
  );
  const asks = await screen.findByRole('dialog', { name: 'Show that it is you' });
  fireEvent.change(await within(asks).findByLabelText(labelled(label)), {
    target: { value: 'shown' },
  });
  fireEvent.click(within(asks).getByRole('button', { name: 'Go on' }));
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  expect(sent(asked, '/step-up')).toEqual([shown]);
  const tried = asked.filter((it) => it.method === 'PUT');
  expect(tried.map((it) => it.csrf)).toEqual(['csrf', 'another']);
});

it('leaves the change undone when one does not show who one is', async () => {
  showConsole('/access', {
    'PUT /api/auth/v1/settings': { status: 403, code: 'step_up_needed' },
  });
  await press('Require a second factor');
  const dialog = await screen.findByRole('dialog');
  fireEvent.click(within(dialog).getByRole('button', { name: 'Require' }));
  const asks = await screen.findByRole('dialog', { name: 'Show that it is you' });
  await within(asks).findByLabelText(/^Your password/);
  fireEvent.click(within(asks).getByRole('button', { name: 'Cancel' }));
  await within(dialog).findByText(/refused with 403/);
});

it('resets the factors of somebody who has lost the app', async () => {
  const { asked } = showConsole('/access', { 'DELETE /api/auth/v1/users/u2/factors': 204 });
  await press('Reset factors of bob@example.org');
  const dialog = await screen.findByRole('dialog');
  expect(dialog.textContent).toContain('signed out everywhere');
  fireEvent.click(within(dialog).getByRole('button', { name: 'Reset factors' }));
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  expect(sent(asked, '/users/u2/factors')).toEqual([undefined]);
});

/** A browser whose passkey says what it was asked. */
function withPasskeys() {
  const credential = { toJSON: () => ({ id: 'shown' }) };
  const give = () => Promise.resolve(credential);
  vi.stubGlobal('PublicKeyCredential', {
    parseRequestOptionsFromJSON: (it: unknown) => it,
    parseCreationOptionsFromJSON: (it: unknown) => it,
  });
  vi.stubGlobal('navigator', { ...navigator, credentials: { get: give, create: give } });
}

const OPTIONS = { options: { publicKey: { challenge: 'x' } } };

it('signs in with a passkey, without a password', async () => {
  withPasskeys();
  const { asked, router } = showConsole('/sign-in', {
    'POST /api/auth/v1/login/passkey/options': OPTIONS,
    'POST /api/auth/v1/login/passkey': ME,
  });
  await press('Sign in with a passkey');
  await waitFor(() => expect(router.state.location.pathname).toBe('/'));
  expect(sent(asked, '/login/passkey')).toEqual([{ credential: { id: 'shown' } }]);
});

it('takes a passkey after the password', async () => {
  withPasskeys();
  const { asked, router } = showConsole('/sign-in', {
    'POST /api/auth/v1/login': { next: 'code', app: false, passkey: true },
    'POST /api/auth/v1/login/code/options': OPTIONS,
    'POST /api/auth/v1/login/code': ME,
  });
  await signIn();
  await screen.findByText(/^Show your passkey/);
  await press('Use a passkey');
  await waitFor(() => expect(router.state.location.pathname).toBe('/'));
  expect(sent(asked, '/login/code')).toEqual([{ passkey: { id: 'shown' } }]);
});

it('adds, renames and removes a passkey', async () => {
  withPasskeys();
  const { asked } = showConsole('/access', {
    'GET /api/auth/v1/me/passkeys': { items: [{ ...PASSKEY, name: 'ring' }] },
    'POST /api/auth/v1/me/passkeys/options': { ...OPTIONS, held: 'it' },
    'POST /api/auth/v1/me/passkeys': { passkey: PASSKEY, ...CONFIRMED },
    'PATCH /api/auth/v1/me/passkeys/p1': 204,
    'DELETE /api/auth/v1/me/passkeys/p1': 204,
  });
  await type('Name of the passkey', 'phone');
  await press('Add a passkey');
  const codes = await screen.findByLabelText('The recovery codes');
  expect(codes.textContent).toBe('one\ntwo');
  expect(sent(asked, '/me/passkeys')).toEqual([
    { name: 'phone', credential: { id: 'shown' }, held: 'it' },
  ]);
  await press('Rename passkey ring');
  await type('New name', 'key ring');
  const dialog = await screen.findByRole('dialog');
  fireEvent.click(within(dialog).getByRole('button', { name: 'Rename' }));
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  await press('Remove passkey ring');
  fireEvent.click(
    within(await screen.findByRole('dialog')).getByRole('button', { name: 'Remove' }),
  );
  await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  expect(sent(asked, '/me/passkeys/p1')).toEqual([{ name: 'key ring' }, undefined]);
});

it('tells that no passkey was shown', async () => {
  withPasskeys();
  vi.stubGlobal('navigator', {
    ...navigator,
    credentials: { get: () => Promise.reject(new Error('cancelled')) },
  });
  showConsole('/sign-in', { 'POST /api/auth/v1/login/passkey/options': OPTIONS });
  await press('Sign in with a passkey');
  await screen.findByText(/no passkey was shown/);
});

it('shows the passkeys of somebody to who manages people', async () => {
  const { asked } = showConsole('/access', {
    'GET /api/auth/v1/users/u2/passkeys': { items: [{ ...PASSKEY, name: 'ring' }] },
    'DELETE /api/auth/v1/users/u2/passkeys/p1': 204,
  });
  await press('Passkeys of bob@example.org');
  await press('Remove passkey ring');
  const confirm = await screen.findByRole('dialog', { name: 'Remove passkey ring' });
  fireEvent.click(within(confirm).getByRole('button', { name: 'Remove' }));
  await waitFor(() => expect(sent(asked, '/users/u2/passkeys/p1')).toEqual([undefined]));
});
