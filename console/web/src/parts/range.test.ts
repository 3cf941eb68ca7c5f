import { expect, it } from 'vitest';
import { clipped, isSelector, newestOf, stepOf } from './range';

it('ends a line where its samples end, not where PromQL still repeats them', () => {
  const values: [number, string][] = [
    [100, '1'],
    [110, '1'],
    [120, '1'],
    [400, '1'],
  ];
  const [one] = clipped([{ metric: {}, values }], 112, 10);
  expect(one?.values?.map(([at]) => at)).toEqual([100, 110, 120]);
});

it('takes the age from the instants of samples', () => {
  expect(newestOf([{ metric: {}, values: [[400, '112.5']] }])).toBe(112.5);
  expect(newestOf([])).toBeUndefined();
});

it('knows which expressions have samples with instants of their own', () => {
  const yes = ['up', 'up{a="b"}', '{__name__=~"x.*"}', ' up { a="}" } ', "up{a='x{'}"];
  const no = ['rate(up[1m])', 'up + up', 'sum(up)', 'up offset 5m', 'up[5m]', '1', ''];
  expect(yes.filter((expr) => !isSelector(expr))).toEqual([]);
  expect(no.filter(isSelector)).toEqual([]);
});

it('asks for as many points as a chart can show', () => {
  expect([5, 15, 1440].map(stepOf)).toEqual([5, 5, 360]);
});
