/** Tokens that ask for more than to be known, and devices that wait to be let in. */
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { TOKEN } from '../testing/answers';
import { HOSTILE } from '../testing/hostile';
import { showConsole } from '../testing/console';

it('makes a token for some machines in some networks, each of which waits', async () => {
  const { asked } = showConsole('/access', {
    'POST /api/auth/v1/enrolment-tokens': { token: TOKEN, secret: 's', command: 'run this' },
  });
  const form = within(await screen.findByRole('form', { name: 'New token' }));
  const type = (label: RegExp, value: string) =>
    fireEvent.change(form.getByLabelText(label), { target: { value } });
  type(/^Networks/, '192.0.2.0/24, 2001:db8::/32');
  type(/^Serial numbers/, 'PF3*');
  fireEvent.click(form.getByLabelText(/^Each waits/));
  fireEvent.click(form.getByRole('button', { name: 'Make a token' }));
  await screen.findByText('run this');
  expect(asked.find((it) => it.method === 'POST')?.body).toEqual({
    uses: 1,
    expires_in_minutes: 60,
    networks: ['192.0.2.0/24', '2001:db8::/32'],
    serials: ['PF3*'],
    approval: true,
  });
});

it('lets a device in once somebody has compared its key', async () => {
  const { asked } = showConsole('/access', { 'POST /api/auth/v1/waiting-devices/d9': 204 });
  await screen.findByText('ab'.repeat(32));
  fireEvent.click(screen.getByRole('button', { name: `Let in ${HOSTILE}` }));
  const dialog = within(await screen.findByRole('dialog'));
  fireEvent.click(dialog.getByRole('button', { name: /^Let in/ }));
  await waitFor(() =>
    expect(asked.filter((it) => it.method === 'POST').map((it) => it.path)).toEqual([
      '/api/auth/v1/waiting-devices/d9',
    ]),
  );
});
