import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { DeviceEvent, LiveEvent } from './api/types';
import { concernedByDevice, concernedByLive, throttled, useLive } from './live';
import { Stream } from './testing/stream';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('does at once, and what comes soon after only once more', () => {
  const done: string[] = [];
  const again = throttled(1000, (key) => done.push(key));
  for (let n = 0; n < 50; n += 1) again.ask('a');
  again.ask('b');
  expect(done).toEqual(['a', 'b']);
  vi.advanceTimersByTime(1000);
  expect(done).toEqual(['a', 'b', 'a']);
  vi.advanceTimersByTime(5000);
  expect(done).toEqual(['a', 'b', 'a']);
});

it("leaves other devices' charts alone", () => {
  const telemetry: LiveEvent = { kind: 'telemetry', device_id: 'd1', at: '' };
  expect(concernedByLive(telemetry)).toEqual([['range', 'd1']]);
  const told = (kind: string): DeviceEvent => ({ kind, device_id: 'd1' });
  expect(concernedByDevice(told('command'))).toEqual([['commands', 'd1']]);
  expect(concernedByDevice(told('inventory'))).toEqual([['inventory', 'd1']]);
  expect(concernedByDevice(told('retired'))).toEqual([['devices'], ['device', 'd1']]);
});

it('reads again what the platform tells, and says when it does not hear', () => {
  const client = new QueryClient();
  const read = vi.spyOn(client, 'invalidateQueries').mockResolvedValue();
  const keys = () => read.mock.calls.map(([filters]) => JSON.stringify(filters?.queryKey));
  const { result } = renderHook(() => useLive(true), {
    wrapper: ({ children }) => (
      <QueryClientProvider client={client}>{children}</QueryClientProvider>
    ),
  });
  const live = Stream.of('/api/monitoring/v1/live');
  act(() => {
    for (let n = 0; n < 100; n += 1) live.tell({ kind: 'telemetry', device_id: 'd1' });
  });
  expect(keys()).toEqual(['["range","d1"]']);
  act(() => {
    live.close();
    live.onerror?.();
  });
  expect(result.current).toBe(false);
  act(() => void vi.advanceTimersByTime(5000));
  act(() => Stream.of('/api/monitoring/v1/live').onopen?.());
  expect(result.current).toBe(true);
  expect(keys()).toContain('["alerts"]');
  act(() => Stream.of('/api/devices/v1/events').tell({}, 'lagged'));
  act(() => void vi.advanceTimersByTime(5000));
  expect(keys().filter((key) => key === '["devices"]')).toHaveLength(2);
});
