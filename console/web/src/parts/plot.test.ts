import { expect, it } from 'vitest';
import { align, limits } from './plot';
import { BYTES, RATIO } from './units';

it('puts series with different times in one table', () => {
  const a = { metric: {}, values: [[1, '1'] as [number, string], [3, '3'] as [number, string]] };
  const b = { metric: {}, values: [[2, 'NaN'] as [number, string], [3, '-1'] as [number, string]] };
  expect(align([a, b])).toEqual([
    [1, 2, 3],
    [1, null, 3],
    [null, NaN, -1],
  ]);
});

it('begins the value axis at zero and ends it where values can', () => {
  expect(limits(RATIO, 0.2, 0.3)).toEqual([0, 1]);
  expect(limits(RATIO, 0.2, 1.5)).toEqual([0, 1.5]);
  expect(limits(BYTES, -5, 100)).toEqual([-5, 108]);
  expect(limits(BYTES, null, null)).toEqual([0, 1]);
});
