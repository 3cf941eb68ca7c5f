import { expect, it } from 'vitest';
import { align } from './plot';

it('puts series with different times in one table', () => {
  const a = { metric: {}, values: [[1, '1'] as [number, string], [3, '3'] as [number, string]] };
  const b = { metric: {}, values: [[2, 'NaN'] as [number, string], [3, '-1'] as [number, string]] };
  expect(align([a, b])).toEqual([
    [1, 2, 3],
    [1, null, 3],
    [null, NaN, -1],
  ]);
});
