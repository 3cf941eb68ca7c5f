import { Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { get } from '../api/client';
import type { Health } from '../api/types';
import { Problem } from '../parts/problem';
import { State } from '../parts/state';
import { Rows } from '../parts/table';

export function HealthPage() {
  const health = useQuery({
    queryKey: ['health'],
    refetchInterval: 5_000,
    queryFn: () => get<Health>('/api/platform/v1/health'),
  });
  return (
    <>
      <Title order={1}>Platform</Title>
      <Problem error={health.error} />
      {health.data && (
        <p>
          Version {health.data.version}, up for {health.data.uptime_s} s.
        </p>
      )}
      <Rows
        label="Parts of the platform"
        head={['Part', 'State', 'Waits for', 'More']}
        rows={(health.data?.parts ?? []).map((part) => [
          part.name,
          <State value={part.ready ? 'ready' : 'waiting'} />,
          part.waiting_for ?? '',
          part.detail ?? '',
        ])}
      />
    </>
  );
}
