import { describe, expect, it } from 'vitest';
import { ago, bytes, count, labels, localTime, number, quoted, timeOf, until } from './format';

describe('format', () => {
  it('writes bytes with a unit', () => {
    expect([0, 1023, 1024, 1536, 5 * 1024 ** 3].map(bytes)).toEqual([
      '0 B',
      '1023 B',
      '1 KiB',
      '1.5 KiB',
      '5 GiB',
    ]);
  });

  it('says how long ago', () => {
    const now = Date.parse('2026-01-02T00:00:00Z');
    const cases: [string | null, string][] = [
      [null, 'never'],
      ['2026-01-02T00:00:05Z', '0 s ago'],
      ['2026-01-01T23:59:01Z', '59 s ago'],
      ['2026-01-01T23:00:01Z', '59 min ago'],
      ['2026-01-01T00:00:00Z', '1 d ago'],
    ];
    for (const [at, text] of cases) expect(ago(at, now)).toBe(text);
  });

  it('writes numbers of any size', () => {
    expect([0, 1.23456, 9999, 1e4, -2.2417e10, 1e9, 1e-9, 1e20, NaN].map(number)).toEqual([
      ...['0', '1.235', '9999', '10 k', '-22.42 G', '1 G', '1.000e-9', '1.000e+20', 'NaN'],
    ]);
  });

  it('says one and many', () => {
    expect([0, 1, 2, 1234].map((it) => count(it, 'device'))).toEqual([
      ...['0 devices', '1 device', '2 devices', '1,234 devices'],
    ]);
    expect(count(2, 'entry', 'entries')).toBe('2 entries');
  });

  it('says how long until', () => {
    const now = Date.parse('2026-01-02T00:00:00Z');
    expect(until('2026-01-02T02:00:00Z', now)).toBe('in 2 h');
    expect(until('2026-01-01T00:00:00Z', now)).toBe('ended');
  });

  it('cannot be led out of a selector', () => {
    expect(quoted('a"} or vector(1) #')).toBe('"a\\"} or vector(1) #"');
    expect(labels({ __name__: 'up', job: 'a"b' })).toBe('up{job="a\\"b"}');
  });

  it('reads back what a field of a time shows', () => {
    const at = '2026-01-31T12:34:00.000Z';
    expect(timeOf(localTime(at))).toBe(at);
    expect(localTime('2026-01-31T12:34:56Z')).toBe(localTime(at));
    expect([localTime(undefined), localTime('soon')]).toEqual(['', '']);
    expect([timeOf(''), timeOf('soon')]).toEqual([undefined, undefined]);
  });
});
