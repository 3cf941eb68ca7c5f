/** What surrounds every page of somebody who is signed in. */
import { Button, Text, Title } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, Navigate, Outlet } from '@tanstack/react-router';
import { useEffect } from 'react';
import { ApiError, call, get, setCsrf } from '../api/client';
import type { Me } from '../api/types';
import { useLive } from '../live';
import { Problem } from './problem';

const PAGES = [
  ['/', 'Overview'],
  ['/devices', 'Devices'],
  ['/explore', 'Metrics'],
  ['/alerts', 'Alerts'],
  ['/access', 'Access'],
  ['/audit', 'Audit'],
  ['/health', 'Platform'],
] as const;

/** Who is signed in. */
export function useMe() {
  return useQuery({
    queryKey: ['me'],
    queryFn: async () => {
      const me = await get<Me>('/api/auth/v1/me');
      setCsrf(me.csrf_token);
      return me;
    },
  });
}

export function Shell() {
  const me = useMe();
  if (me.error instanceof ApiError && me.error.status === 401) return <Navigate to="/sign-in" />;
  if (me.error) return <Problem error={me.error} />;
  return me.data ? <Inside me={me.data} /> : <Text p="md">Loading…</Text>;
}

function Inside({ me }: { me: Me }) {
  useLive();
  const client = useQueryClient();
  useEffect(() => {
    document.title = 'OpenFrame';
  }, []);
  const leave = async () => {
    await call('POST', '/api/auth/v1/logout');
    client.clear();
    window.location.assign('/sign-in');
  };
  return (
    <div className="shell">
      <nav aria-label="Pages">
        <Title order={2} size="h4">
          OpenFrame
        </Title>
        <ul>
          {PAGES.map(([to, name]) => (
            <li key={to}>
              <Link to={to} activeOptions={{ exact: to === '/' }}>
                {name}
              </Link>
            </li>
          ))}
        </ul>
        <Text size="sm" mb="xs">
          {me.user.name} ({me.user.role})
        </Text>
        <Button size="xs" variant="default" onClick={() => void leave()}>
          Sign out
        </Button>
      </nav>
      <main>
        <Outlet />
      </main>
    </div>
  );
}
