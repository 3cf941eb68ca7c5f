import { screen, waitFor, within } from '@testing-library/react';
import { expect, it } from 'vitest';
import { showConsole } from '../testing/console';
import { valueAt } from './chart';

it('says how old the newest sample is, not the newest point of the answer', async () => {
  showConsole('/devices/d1');
  const memory = await screen.findByRole('region', { name: 'Memory' });
  const age = await waitFor(() => {
    const found = memory.querySelector('[data-age]');
    if (!found) throw new Error('no age yet');
    return Number(found.getAttribute('data-age'));
  });
  // The platform's last point is of now, its last sample 30 seconds old.
  expect(age).toBeGreaterThanOrEqual(29);
  expect(memory.textContent).toMatch(/newest sample 3\d s old/);
});

it('claims no age where PromQL leaves none', async () => {
  showConsole('/explore?expr=sum(up)');
  const chart = await screen.findByRole('region', { name: 'Over time' });
  await within(chart).findByText(/^asked \d+ s ago$/);
  expect(chart.querySelector('[data-age]')).toBeNull();
});

it('says that there has been no sample', async () => {
  showConsole('/devices/d1', { 'GET /prometheus/api/v1/query_range': { data: { result: [] } } });
  const memory = await screen.findByRole('region', { name: 'Memory' });
  await within(memory).findByText('no sample for 15 min or more');
});

it('finds the value that is pointed at', () => {
  const values: [number, string][] = [
    [1, '5'],
    [2, '6'],
  ];
  expect([valueAt(values, undefined), valueAt(values, 1), valueAt(values, 3)]).toEqual([6, 5, NaN]);
});
