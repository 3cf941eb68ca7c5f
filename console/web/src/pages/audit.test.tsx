/** The audit trail: what is asked of the platform for what is looked for. */
import { fireEvent, screen, waitFor } from '@testing-library/react';
import { expect, it } from 'vitest';
import { timeOf } from '../format';
import { showConsole, type Request } from '../testing/console';

const searches = (asked: Request[]) =>
  asked
    .filter((it) => it.path.startsWith('/api/auth/v1/audit?'))
    .map((it) => Object.fromEntries(new URLSearchParams(it.path.split('?')[1])));

it('asks for what is looked for, and keeps it in the address', async () => {
  const { asked, router } = showConsole('/audit');
  await screen.findByText('command.create');
  const type = (label: string, value: string) =>
    fireEvent.change(screen.getByLabelText(label), { target: { value } });
  type('What', 'session.');
  type('Outcome', 'refused');
  type('From', '2026-01-31T12:00');
  expect(searches(asked)).toEqual([{ limit: '100' }]);
  fireEvent.click(screen.getByRole('button', { name: 'Search' }));
  const from = timeOf('2026-01-31T12:00');
  const wanted = { action: 'session.', outcome: 'refused', from };
  await waitFor(() => expect(searches(asked).at(-1)).toEqual({ ...wanted, limit: '100' }));
  expect(router.state.location.search).toEqual(wanted);
});

it('begins with what the address says, and can show all again', async () => {
  const { asked, router } = showConsole('/audit?actor=ann&to=2026-01-31T12:00:00Z&x=y');
  const wanted = { actor: 'ann', to: '2026-01-31T12:00:00Z' };
  await waitFor(() => expect(searches(asked)).toEqual([{ ...wanted, limit: '100' }]));
  expect((screen.getByLabelText('Who') as HTMLInputElement).value).toBe('ann');
  const link = screen.getByRole('link', { name: 'Download what is found' });
  expect(link.getAttribute('href')).toBe(
    '/api/auth/v1/audit/export?actor=ann&to=2026-01-31T12%3A00%3A00Z',
  );
  expect((screen.getByLabelText('Until') as HTMLInputElement).value).not.toBe('');
  fireEvent.click(screen.getByRole('button', { name: 'Show all' }));
  await waitFor(() => expect(searches(asked).at(-1)).toEqual({ limit: '100' }));
  expect(router.state.location.search).toEqual({});
});

it('says that nothing is like what is looked for', async () => {
  showConsole('/audit?actor=nobody', { 'GET /api/auth/v1/audit': { items: [] } });
  await screen.findByText('No entry is like this.');
});

it.each([
  [{ entries: 1, checkpoints: 0 }, '1 entry, unbroken; no checkpoint yet.'],
  [
    {
      entries: 7,
      checkpoints: 2,
      last_checkpoint: { seq: 6, at: '2026-01-31T12:00:00Z', hash: '' },
    },
    '7 entries, unbroken; 2 checkpoints, the last of entry 6 at 2026-01-31',
  ],
  [
    { entries: 4, checkpoints: 0, broken_at: 5, finding: 'cut', explanation: 'it went on' },
    'Broken at entry 5: it went on.',
  ],
])('says whether the trail is what was written: %j', async (verdict, said) => {
  showConsole('/audit', { 'GET /api/auth/v1/audit/verify': verdict });
  fireEvent.click(await screen.findByRole('button', { name: 'Verify the trail' }));
  await screen.findByText((text) => text.startsWith(said));
});
