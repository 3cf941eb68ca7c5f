/** What the browser must fetch before it shows anything, kept small by failing the build. */
import { gzipSync } from 'node:zlib';

/** Bytes of gzip that the first load may have. */
export const FIRST_LOAD = 250_000;

/** A file of the build, as much of it as the sum needs. */
export interface Output {
  type: 'chunk' | 'asset';
  fileName: string;
  code?: string;
  source?: string | Uint8Array;
  isEntry?: boolean;
  imports?: string[];
}

type Bundle = Record<string, Output>;

/** The entry, all that it imports at once, and the style sheets. */
export function firstLoad(bundle: Bundle): { bytes: number; files: string[] } {
  const wanted = Object.values(bundle).filter((file) => file.isEntry);
  const files = new Set<string>();
  for (let file = wanted.pop(); file; file = wanted.pop()) {
    if (files.has(file.fileName)) continue;
    files.add(file.fileName);
    wanted.push(...(file.imports ?? []).flatMap((name) => bundle[name] ?? []));
  }
  for (const name of Object.keys(bundle)) if (name.endsWith('.css')) files.add(name);
  const size = (name: string) => gzipSync(bundle[name]?.code ?? bundle[name]?.source ?? '').length;
  const bytes = [...files].reduce((sum, name) => sum + size(name), 0);
  return { bytes, files: [...files].sort() };
}

/** The plugin of vite that measures and refuses. */
export function budget(most = FIRST_LOAD) {
  return {
    name: 'first-load-budget',
    generateBundle(_: unknown, bundle: unknown) {
      const { bytes, files } = firstLoad(bundle as Bundle);
      const text = `the first load has ${bytes} of ${most} bytes (gzip): ${files.join(', ')}`;
      if (bytes > most) throw new Error(text);
      console.info(text);
    },
  };
}
