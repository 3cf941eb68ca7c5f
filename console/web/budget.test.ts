import { expect, it } from 'vitest';
import { budget, firstLoad, type Output } from './budget.ts';

/** Text that gzip cannot make smaller than a third. */
const noise = (length: number) =>
  Array.from({ length }, (_, n) => ((n * 2654435761) >>> 0).toString(36)).join('');

const bundle: Record<string, Output> = {
  'index.js': {
    ...{ type: 'chunk', fileName: 'index.js', isEntry: true },
    ...{ imports: ['kit.js'], code: noise(100) },
  },
  'kit.js': { type: 'chunk', fileName: 'kit.js', imports: ['index.js'], code: noise(100) },
  'plot.js': { type: 'chunk', fileName: 'plot.js', code: noise(10_000) },
  'index.css': { type: 'asset', fileName: 'index.css', source: noise(100) },
};

it('counts what the first page fetches, and nothing that is loaded later', () => {
  expect(firstLoad(bundle).files).toEqual(['index.css', 'index.js', 'kit.js']);
});

it('refuses a build that is too large', () => {
  const { bytes } = firstLoad(bundle);
  expect(() => budget(bytes - 1).generateBundle(undefined, bundle)).toThrow(String(bytes));
  expect(() => budget(bytes).generateBundle(undefined, bundle)).not.toThrow();
});
