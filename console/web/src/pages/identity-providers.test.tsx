/** Other providers that people may sign in at. */
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { showConsole, type Request } from '../testing/console';
import { PROVIDER } from '../testing/providers';

const PATH = '/api/auth/v1/identity-providers';

const sent = (asked: Request[], method: string) =>
  asked.filter((it) => it.method === method).map(({ path, body }) => [path, body]);

function type(label: RegExp, value: string) {
  fireEvent.change(screen.getByLabelText(label), { target: { value } });
}

it('adds a provider, and says where browsers are sent back to', async () => {
  const { asked } = showConsole('/access', { [`POST ${PATH}`]: PROVIDER });
  const form = await screen.findByRole('form', { name: 'New identity provider' });
  type(/^Name on the sign-in page/, 'Corp');
  type(/^Issuer/, 'https://id.example.org');
  type(/^Client ID/, 'openframe');
  type(/^Client secret/, 'hush');
  type(/^Domains of mail addresses/, 'example.org, example.com');
  type(/^People who are not known yet become/, 'technician');
  fireEvent.click(within(form).getByRole('button', { name: 'Add the provider' }));
  await screen.findByLabelText('The new provider');
  expect(sent(asked, 'POST')).toEqual([
    [
      PATH,
      {
        name: 'Corp',
        issuer: 'https://id.example.org',
        client_id: 'openframe',
        client_secret: 'hush',
        allowed_domains: ['example.org', 'example.com'],
        creates_people: 'technician',
        trusts_mfa: false,
      },
    ],
  ]);
  expect((screen.getByLabelText(/^Client secret/) as HTMLInputElement).value).toBe('');
});

it('disables a provider', async () => {
  const changed = { ...PROVIDER, enabled: false };
  const { asked } = showConsole('/access', { [`PATCH ${PATH}/ip1`]: changed });
  const button = await screen.findByRole('button', { name: 'Disable identity provider Corp' });
  fireEvent.click(button);
  await waitFor(() => expect(sent(asked, 'PATCH')).toEqual([[`${PATH}/ip1`, { enabled: false }]]));
});

it('leads to each provider from the sign-in page', async () => {
  const href = '/login/upstream/ip1';
  const setup = {
    needed: false,
    mail: false,
    passkeys: false,
    providers: [{ name: 'Corp', href }],
  };
  showConsole('/sign-in', { 'GET /api/auth/v1/setup': setup });
  const link = await screen.findByRole('link', { name: 'Sign in with Corp' });
  expect(link.getAttribute('href')).toBe(href);
});
