/** What the browser has and the tests' document has not. */
import { cleanup } from '@testing-library/react';
import { afterEach, beforeEach, vi } from 'vitest';
import { Stream } from './stream';

class NoResize {
  observe() {}
  unobserve() {}
  disconnect() {}
}

beforeEach(() => {
  vi.stubGlobal('EventSource', Stream);
  vi.stubGlobal('ResizeObserver', NoResize);
  // Nothing is laid out here, so everything that asks is told of room enough.
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(600);
  Object.defineProperty(document, 'fonts', { value: new EventTarget(), configurable: true });
});

afterEach(() => {
  cleanup();
  Stream.all = [];
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

// There is no canvas to draw on; what is drawn is tested in Chromium.
vi.mock('../parts/plot', async (original) => ({
  ...(await original<typeof import('../parts/plot')>()),
  default: () => null,
}));
