/** Every page in each of its main states: waiting, refused, nothing there, and the answer. */
import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { ANSWERS } from '../testing/answers';
import { HOSTILE } from '../testing/hostile';
import { showConsole, type Answers, type Said } from '../testing/console';

/** A page: its address, what it asks, what it says when there is nothing, what it shows. */
interface Case {
  page: string;
  path: string;
  ask: string;
  none: Said;
  empty: string;
  shows: string;
}

const nothing = { items: [] };
const noDevices = { items: [], total: 0, index_age_ms: 0, facets: {} };

const CASES: Case[] = [
  {
    page: 'Overview',
    path: '/',
    ask: '/api/monitoring/v1/alerts',
    none: nothing,
    empty: 'No alert is firing.',
    shows: 'memory in use',
  },
  {
    page: 'Overview',
    path: '/',
    ask: '/api/devices/v1/devices',
    none: noDevices,
    empty: 'No device is lost.',
    shows: 'Lost devices',
  },
  {
    page: 'Devices',
    path: '/devices',
    ask: '/api/devices/v1/devices',
    none: noDevices,
    empty: 'No device yet.',
    shows: 'Debian 12',
  },
  {
    page: HOSTILE,
    path: '/devices/d1',
    ask: '/api/devices/v1/devices/d1/commands',
    none: nothing,
    empty: 'No command has been run here.',
    shows: 'uname -a',
  },
  {
    page: HOSTILE,
    path: '/devices/d1',
    ask: '/api/devices/v1/devices/d1/inventory',
    none: { sections: [] },
    empty: 'The device has not reported its inventory yet.',
    shows: 'software',
  },
  {
    page: 'Metrics',
    path: '/explore',
    ask: '/prometheus/api/v1/query_range',
    none: { data: { result: [] } },
    empty: 'No series in this time.',
    shows: 'Mean',
  },
  {
    page: 'Alerts',
    path: '/alerts',
    ask: '/api/monitoring/v1/alerts',
    none: nothing,
    empty: 'No alert is pending or firing.',
    shows: 'close something',
  },
  {
    page: 'Alerts',
    path: '/alerts',
    ask: '/api/monitoring/v1/rules',
    none: nothing,
    empty: 'No rule yet: nothing can fire.',
    shows: 'system_memory_usage_bytes > 1e6',
  },
  {
    page: 'Alerts',
    path: '/alerts',
    ask: '/api/monitoring/v1/channels',
    none: nothing,
    empty: 'No channel yet: alerts are shown here only.',
    shows: 'it answered 500',
  },
  {
    page: 'Access',
    path: '/access',
    ask: '/api/auth/v1/enrolment-tokens',
    none: nothing,
    empty: 'No token is open: no device can enrol.',
    shows: 'office',
  },
  {
    page: 'Access',
    path: '/access',
    ask: '/api/auth/v1/waiting-devices',
    none: nothing,
    empty: 'No device waits to be let in.',
    shows: 'PF3ABC',
  },
  {
    page: 'Access',
    path: '/access',
    ask: '/api/auth/v1/api-keys',
    none: nothing,
    empty: 'You have no API key.',
    shows: 'grafana',
  },
  {
    page: 'Access',
    path: '/access',
    ask: '/api/auth/v1/oauth-clients',
    none: nothing,
    empty: 'No program may ask people for access.',
    shows: 'https://wiki.example.org/cb',
  },
  {
    page: 'Access',
    path: '/access',
    ask: '/api/auth/v1/identity-providers',
    none: nothing,
    empty: 'People sign in with OpenFrame only.',
    shows: 'https://id.example.org',
  },
  {
    page: 'Access',
    path: '/access',
    ask: '/api/auth/v1/signing-keys',
    none: nothing,
    empty: 'No key has been needed yet.',
    shows: 'key1',
  },
  {
    page: 'Access',
    path: '/access',
    ask: '/api/auth/v1/me/consents',
    none: nothing,
    empty: 'You have let no program in.',
    shows: 'openid devices:read',
  },
  {
    page: 'Access',
    path: '/access',
    ask: '/api/auth/v1/users',
    none: nothing,
    empty: 'None.',
    shows: 'Bob',
  },
  {
    page: 'Access',
    path: '/access',
    ask: '/api/auth/v1/sessions',
    none: nothing,
    empty: 'None.',
    shows: '192.0.2.9',
  },
  {
    page: 'Audit',
    path: '/audit',
    ask: '/api/auth/v1/audit',
    none: nothing,
    empty: 'Nothing has happened yet.',
    shows: 'command.create',
  },
  {
    page: 'Audit',
    path: '/audit',
    ask: '/api/auth/v1/audit/streams',
    none: nothing,
    empty: 'The trail is sent nowhere',
    shows: 'invalid peer certificate, since 2026-',
  },
  {
    page: 'Platform',
    path: '/health',
    ask: '/api/platform/v1/health',
    none: { version: '1', ready: true, replicas: [], edges: [] },
    empty: 'All services share one process: nothing goes over a network.',
    shows: 'a disk that can be written',
  },
];

const at = ({ path, ask }: Case, said: Said) => {
  const answers: Answers = { [`GET ${ask}`]: said };
  return showConsole(path, answers);
};

const text = () => document.body.textContent ?? '';

describe.each(CASES)('$path, $ask', (it_) => {
  it('waits without saying that there is nothing', async () => {
    at(it_, 'never');
    await waitFor(() => expect(text()).toContain('Loading…'));
    expect(text()).not.toContain(it_.empty);
  });

  it('says why it is refused, not that there is nothing', async () => {
    at(it_, 422);
    await waitFor(() => expect(text()).toContain('refused with 422; ask the owner'));
    expect(text()).not.toContain(it_.empty);
  });

  it('says that there is nothing', async () => {
    at(it_, it_.none);
    await waitFor(() => expect(text()).toContain(it_.empty));
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('shows the answer, its age and its title, and everything as text', async () => {
    const key = `GET ${it_.ask}`;
    showConsole(it_.path, { [key]: ANSWERS[key] ?? 404 });
    await waitFor(() => expect(text()).toContain(it_.shows));
    await waitFor(() => expect(document.title).toBe(`${it_.page} · OpenFrame`));
    expect(text()).toMatch(/as of \d+ s ago/);
    expect(document.querySelector('img')).toBeNull();
  });
});
