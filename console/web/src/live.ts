/** What changes while one looks: server-sent events, and the time. */
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';

/** The time, renewed every second, so that ages are true. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** Reads lists again when the platform says that something has changed. */
export function useLive() {
  const client = useQueryClient();
  useEffect(() => {
    const devices = new EventSource('/api/devices/v1/events');
    const again = (...keys: string[]) => {
      for (const key of keys) void client.invalidateQueries({ queryKey: [key] });
    };
    devices.onmessage = () => again('devices', 'device', 'commands', 'inventory');
    devices.addEventListener('lagged', () => again('devices', 'device', 'commands', 'inventory'));
    const live = new EventSource('/api/monitoring/v1/live');
    live.onmessage = (event: MessageEvent<string>) => {
      const { kind } = JSON.parse(event.data) as { kind: string };
      again(...(kind === 'alert' ? ['alerts', 'rules'] : ['range']));
    };
    return () => {
      devices.close();
      live.close();
    };
  }, [client]);
}
