/** How a platform is of which some parts do not answer. */
import type { Health } from '../api/types';
import { HOSTILE } from './hostile';

export const HEALTH: Health = {
  version: '9.9.9',
  ready: false,
  replicas: [
    {
      service: 'monitoring',
      address: '10.0.0.7:9443',
      version: '9.9.9',
      uptime_s: 7200,
      parts: [
        {
          name: 'monitoring.log',
          ready: false,
          waiting_for: 'a disk that can be written',
          detail: HOSTILE,
        },
      ],
    },
    {
      service: 'auth',
      address: '10.0.0.8:9443',
      parts: [{ name: 'auth', ready: false, waiting_for: 'an answer', detail: '' }],
    },
  ],
  edges: [
    {
      from: 'gateway',
      to: 'auth',
      requests_per_s: 12.5,
      success: 0.9987,
      retries_per_s: 0.2,
      p50_ms: 1.2,
      p95_ms: 4.8,
      p99_ms: 9.6,
    },
    { from: 'gateway', to: 'devices', requests_per_s: 0, retries_per_s: 0 },
  ],
};
