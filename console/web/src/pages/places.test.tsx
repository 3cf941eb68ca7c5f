/** Places, who is granted what there, and a console of somebody who is let in at one of them only. */
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { BERLIN, DEVICE, ME, NORTH } from '../testing/answers';
import { showConsole, type Answers, type Request } from '../testing/console';

const sent = (asked: Request[], method: string) =>
  asked.filter((it) => it.method === method).map((it) => [it.path, it.body]);

const GRANT = {
  id: 'g1',
  role: 'technician',
  place: ['p1', 'p2'],
  effect: 'deny',
  created_at: '2026-01-01T00:00:00Z',
};

it('makes a place in another', async () => {
  const { asked } = showConsole('/access', { 'POST /api/auth/v1/places': BERLIN });
  const form = within(await screen.findByRole('form', { name: 'New place' }));
  fireEvent.change(form.getByLabelText(/^Place name/), { target: { value: 'Hamburg' } });
  await waitFor(() => form.getByRole('option', { name: 'North / Berlin' }));
  fireEvent.change(form.getByLabelText(/^Lies in/), { target: { value: NORTH.id } });
  fireEvent.click(form.getByRole('button', { name: 'Make the place' }));
  await waitFor(() =>
    expect(sent(asked, 'POST')).toEqual([
      ['/api/auth/v1/places', { name: 'Hamburg', within: 'p1' }],
    ]),
  );
});

it('shows, gives and takes back grants', async () => {
  const { asked } = showConsole('/access', {
    'GET /api/auth/v1/users/u2/grants': { items: [GRANT] },
    'POST /api/auth/v1/users/u2/grants': GRANT,
    'DELETE /api/auth/v1/users/u2/grants/g1': 204,
  });
  fireEvent.click(await screen.findByRole('button', { name: 'Grants of bob@example.org' }));
  await screen.findByText('deny technician at North / Berlin');
  const form = within(await screen.findByRole('form', { name: 'New grant' }));
  fireEvent.change(form.getByLabelText(/^Place/), { target: { value: NORTH.id } });
  fireEvent.click(form.getByRole('button', { name: 'Give the grant' }));
  await waitFor(() =>
    expect(sent(asked, 'POST')).toEqual([
      ['/api/auth/v1/users/u2/grants', { effect: 'allow', role: 'technician', place: 'p1' }],
    ]),
  );
});

it('moves a device', async () => {
  const { asked } = showConsole('/devices/d1', {
    'GET /api/devices/v1/devices/d1': { ...DEVICE, place: ['p1', 'p2'] },
    'PATCH /api/devices/v1/devices/d1': DEVICE,
  });
  await screen.findByText('North / Berlin');
  fireEvent.click(await screen.findByRole('button', { name: 'Name and tags' }));
  fireEvent.change(await screen.findByLabelText(/^Place/), { target: { value: NORTH.id } });
  fireEvent.click(screen.getByRole('button', { name: 'Save' }));
  await waitFor(() => expect(sent(asked, 'PATCH')[0]?.[1]).toMatchObject({ place: 'p1' }));
});

it('asks for nothing that somebody at one place may not see', async () => {
  const permissions_somewhere = ['devices:read', 'devices:write', 'commands:run'];
  const me = { ...ME, permissions: [], permissions_somewhere };
  const answers: Answers = { 'GET /api/auth/v1/me': me };
  for (const [path, shown] of [
    ['/', 'The fleet'],
    ['/devices/d1', 'Run a command'],
    ['/access', 'My password'],
  ] as const) {
    const { asked } = showConsole(path, answers);
    await screen.findAllByText(shown);
    const closed = asked.filter((it) =>
      /monitoring|prometheus|users|quarantine|api-keys|enrolment/.test(it.path),
    );
    expect(closed, path).toEqual([]);
    expect(screen.queryByRole('link', { name: 'Alerts' })).toBeNull();
    document.body.innerHTML = '';
  }
});

it('shows telemetry and alerts, but no rules, to somebody at one place', async () => {
  const permissions_somewhere = ['devices:read', 'telemetry:read'];
  const me = { ...ME, permissions: [], permissions_somewhere };
  const { asked } = showConsole('/alerts', { 'GET /api/auth/v1/me': me });
  await screen.findByRole('table', { name: 'Alerts' });
  screen.getByRole('link', { name: 'Metrics' });
  expect(screen.queryByRole('region', { name: 'Rules' })).toBeNull();
  const closed = asked.filter((it) => /rules|channels/.test(it.path));
  expect(closed).toEqual([]);
});
