import { act, cleanup, fireEvent, screen, waitFor } from '@testing-library/react';
import { expect, it } from 'vitest';
import { within as withinConsole } from '../pages/sign-in';
import { makeRouter } from '../router';
import { ANN, ME } from '../testing/answers';
import { HOSTILE } from '../testing/hostile';
import { showConsole } from '../testing/console';
import { Stream } from '../testing/stream';

const heading = (name: string) => screen.findByRole('heading', { name, level: 1 });

it('sends to sign in when the session has ended, and back to where one was', async () => {
  let signedIn = false;
  const { router } = showConsole('/alerts', {
    'GET /api/auth/v1/me': () => (signedIn ? ME : 401),
    'POST /api/auth/v1/login': () => {
      signedIn = true;
      return ME;
    },
  });
  await heading('Sign in');
  expect(router.state.location.search).toEqual({ next: '/alerts' });
  fireEvent.change(screen.getByLabelText(/E-mail/), { target: { value: ANN.email } });
  fireEvent.change(screen.getByLabelText(/^Password/), { target: { value: 'x' } });
  fireEvent.click(screen.getByRole('button', { name: 'Sign in' }));
  await heading('Alerts');
});

it('sends to sign in as soon as any answer is 401', async () => {
  let ended = false;
  const { router } = showConsole('/devices/d1', {
    'GET /api/devices/v1/devices/d1': () => (ended ? 401 : { ...{}, ...device() }),
  });
  await heading('vm');
  ended = true;
  act(() => Stream.of('/api/devices/v1/events').tell({ kind: 'device', device_id: 'd1' }));
  await heading('Sign in');
  expect(router.state.location.search).toEqual({ next: '/devices/d1' });
});

const device = () => ({
  ...{ id: 'd1', name: 'vm', hostname: 'vm', presence: 'online', tags: [], addresses: [] },
  ...{ os_name: '', os_version: '', kernel: '', arch: '', vendor: '', model: '', serial: '' },
  ...{ cpu_count: 1, memory_bytes: 1, remote_address: '', agent_version: '', capabilities: [] },
  ...{ clock_offset_ms: 0, enrolled_at: '2026-01-01T00:00:00Z', last_seen_at: null },
});

it('goes back only within the console', () => {
  const cases = {
    '/alerts?x=1': '/alerts?x=1',
    'https://evil.example/': '/',
    '//evil.example': '/',
    '/\\evil.example': '/',
    'javascript:alert(1)': '/',
    '/sign-in?next=/': '/',
  };
  for (const [next, want] of Object.entries(cases)) expect(withinConsole(next)).toBe(want);
  expect(withinConsole(undefined)).toBe('/');
});

it('opens pages and devices by Ctrl+K and the keyboard alone', async () => {
  const { router } = showConsole('/');
  await heading('Overview');
  fireEvent.keyDown(window, { key: 'k', ctrlKey: true });
  const box = await screen.findByRole('combobox', { name: 'Page or device' });
  fireEvent.change(box, { target: { value: 'aud' } });
  await screen.findByRole('option', { name: /Audit/ });
  await screen.findByText(HOSTILE, { selector: 'li > .hostile' });
  fireEvent.keyDown(box, { key: 'ArrowDown' });
  fireEvent.keyDown(box, { key: 'Enter' });
  await waitFor(() => expect(router.state.location.pathname).toBe('/devices/d1'));
  expect(screen.queryByRole('combobox', { name: 'Page or device' })).toBeNull();
});

it('changes the colours', async () => {
  showConsole('/');
  await heading('Overview');
  const scheme = () => document.documentElement.getAttribute('data-mantine-color-scheme');
  for (const colours of ['dark', 'light']) {
    fireEvent.change(screen.getByLabelText('Colours'), { target: { value: colours } });
    await waitFor(() => expect(scheme()).toBe(colours));
  }
});

it('says when it is not live', async () => {
  showConsole('/');
  await screen.findByText('Live');
  act(() => Stream.of('/api/monitoring/v1/live').onerror?.());
  await screen.findByText('Not live: connecting again…');
});

it('shows only what one may use', async () => {
  showConsole('/', {
    'GET /api/auth/v1/me': { ...ME, permissions: ['devices:read', 'telemetry:read'] },
  });
  await heading('Overview');
  expect(screen.queryByRole('link', { name: 'Audit' })).toBeNull();
});

it('names an address that leads nowhere', async () => {
  showConsole('/nowhere');
  await heading('No such page');
});

// ASVS 7.4.4
it('has a way out on every page of somebody who is signed in', async () => {
  const open = ['/setup', '/password', '/forgot', '/invitation', '/email', '/sign-in'];
  const all = Object.keys(makeRouter().routesByPath).filter((path) => !open.includes(path));
  expect(all.length).toBeGreaterThan(7);
  for (const path of all) {
    const { asked, router } = showConsole(path.replace('$id', 'd1'), {
      'POST /api/auth/v1/logout': 204,
    });
    fireEvent.click(await screen.findByRole('button', { name: 'Sign out' }));
    await waitFor(() => expect(router.state.location.pathname, path).toBe('/sign-in'));
    const sent = asked.filter(({ method }) => method === 'POST').map((request) => request.path);
    expect(sent, path).toEqual(['/api/auth/v1/logout']);
    cleanup();
  }
});
