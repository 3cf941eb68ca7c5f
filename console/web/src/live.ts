/** What changes while one looks: server-sent events, and the time. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { DeviceEvent, LiveEvent } from './api/types';

/** The time, renewed every second, so that ages are true. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** The shortest time between two reads that events cause of the same thing. */
const WAIT_MS = 2000;
/** After which time a stream that the platform has refused is tried again. */
const RETRY_MS = 5000;

/** Does `act` for a key at once, and for all repeats within `waitMs` once more at its end. */
export function throttled(waitMs: number, act: (key: string) => void) {
  const waiting = new Map<string, { timer: ReturnType<typeof setTimeout>; again: boolean }>();
  const now = (key: string) => {
    act(key);
    const timer = setTimeout(() => {
      const again = waiting.get(key)?.again ?? false;
      waiting.delete(key);
      if (again) now(key);
    }, waitMs);
    waiting.set(key, { timer, again: false });
  };
  return {
    ask(key: string) {
      const before = waiting.get(key);
      if (before) before.again = true;
      else now(key);
    },
    stop() {
      for (const { timer } of waiting.values()) clearTimeout(timer);
      waiting.clear();
    },
  };
}

/** The queries that an event about a device concerns, as the beginnings of their keys. */
export function concernedByDevice(event: DeviceEvent): string[][] {
  const id = event.device_id;
  if (event.kind === 'command') return [['commands', id]];
  if (event.kind === 'inventory') return [['inventory', id]];
  return [['devices'], ['device', id]];
}

/** The queries that an event of monitoring concerns. Charts of other devices are left alone. */
export function concernedByLive(event: LiveEvent): string[][] {
  return event.kind === 'alert' ? [['alerts'], ['rules']] : [['range', event.device_id]];
}

/** Keeps one stream open; tells each event, and whether it is open. */
function follow(path: string, on: (data: string | null) => void, open: (is: boolean) => void) {
  let stream: EventSource;
  let retry: ReturnType<typeof setTimeout> | undefined;
  const connect = () => {
    stream = new EventSource(path);
    stream.onopen = () => open(true);
    stream.onmessage = (event: MessageEvent<string>) => on(event.data);
    stream.addEventListener('lagged', () => on(null));
    stream.onerror = () => {
      open(false);
      // The browser tries again by itself unless the platform has refused.
      if (stream.readyState === EventSource.CLOSED) retry = setTimeout(connect, RETRY_MS);
    };
  };
  connect();
  return () => {
    clearTimeout(retry);
    stream.close();
  };
}

const EVERYTHING = ['devices', 'device', 'commands', 'inventory', 'alerts', 'rules', 'range'];

/**
 * Reads again what the platform says has changed; of telemetry for who may read it. Returns whether its
 * streams are open.
 */
export function useLive(telemetry: boolean): boolean {
  const client = useQueryClient();
  const [open, setOpen] = useState({ devices: true, live: true });
  useEffect(() => {
    const again = throttled(WAIT_MS, (key) => {
      void client.invalidateQueries({ queryKey: JSON.parse(key) as string[] });
    });
    const all = (keys: string[][]) => keys.forEach((key) => again.ask(JSON.stringify(key)));
    const everything = () => all(EVERYTHING.map((key) => [key]));
    const stream = <T>(name: 'devices' | 'live', path: string, concerned: (it: T) => string[][]) =>
      follow(
        path,
        (data) => (data === null ? everything() : all(concerned(JSON.parse(data) as T))),
        (is) => {
          setOpen((before) => (before[name] === is ? before : { ...before, [name]: is }));
          // What happened while the stream was closed is not told again.
          if (is) everything();
        },
      );
    const stops = [stream('devices', '/api/devices/v1/events', concernedByDevice)];
    if (telemetry) stops.push(stream('live', '/api/monitoring/v1/live', concernedByLive));
    return () => {
      stops.forEach((stop) => stop());
      again.stop();
    };
  }, [client, telemetry]);
  return open.devices && open.live;
}
