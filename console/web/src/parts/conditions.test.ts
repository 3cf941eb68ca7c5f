import { expect, it } from 'vitest';
import { conditionsOf, toggled } from './conditions';

it('reads a filter as the platform does', () => {
  expect(conditionsOf('presence:lost,model:A, B:C,tag:x')).toEqual([
    ['presence', 'lost'],
    ['model', 'A, B:C'],
    ['tag', 'x'],
  ]);
  expect(conditionsOf('')).toEqual([]);
});

it('adds a condition and takes it out again', () => {
  const one = toggled('os:linux', ['presence', 'online']);
  expect(one).toBe('os:linux,presence:online');
  expect(toggled(one, ['os', 'linux'])).toBe('presence:online');
});
