import { Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { get } from '../api/client';
import type { AlertList, DevicePage } from '../api/types';
import { ago } from '../format';
import { useNow } from '../live';
import { Problem } from '../parts/problem';
import { State } from '../parts/state';
import { Rows } from '../parts/table';

export function OverviewPage() {
  const now = useNow();
  const devices = useQuery({
    queryKey: ['devices', 'overview'],
    refetchInterval: 15_000,
    queryFn: () =>
      get<DevicePage>('/api/devices/v1/devices?filter=presence:lost&limit=20&sort=-last_seen'),
  });
  const counts = useQuery({
    queryKey: ['devices', 'counts'],
    refetchInterval: 15_000,
    queryFn: () => get<DevicePage>('/api/devices/v1/devices?facets=presence,os&limit=1'),
  });
  const alerts = useQuery({
    queryKey: ['alerts'],
    refetchInterval: 15_000,
    queryFn: () => get<AlertList>('/api/monitoring/v1/alerts'),
  });
  const firing = (alerts.data?.items ?? []).filter((alert) => alert.state === 'firing');
  return (
    <>
      <Title order={1}>Overview</Title>
      <Problem error={devices.error ?? counts.error ?? alerts.error} />
      <h2>What needs somebody now</h2>
      <Rows
        label="Firing alerts"
        head={['Alert', 'Severity', 'Where', 'Since']}
        empty="No alert is firing."
        rows={firing.map((alert) => [
          alert.name,
          <State value={alert.severity} />,
          alert.device_id ? (
            <Link to="/devices/$id" params={{ id: alert.device_id }}>
              {alert.device_id}
            </Link>
          ) : (
            '–'
          ),
          ago(alert.active_at, now),
        ])}
      />
      <h2>Lost devices</h2>
      <Rows
        label="Lost devices"
        head={['Device', 'Last heard of']}
        empty="No device is lost."
        rows={(devices.data?.items ?? []).map((device) => [
          <Link to="/devices/$id" params={{ id: device.id }}>
            {device.name}
          </Link>,
          ago(device.last_seen_at, now),
        ])}
      />
      <h2>The fleet</h2>
      <p>{counts.data?.total ?? '…'} devices.</p>
      <Rows
        label="Devices by presence and system"
        head={['What', 'Devices']}
        rows={Object.values(counts.data?.facets ?? {})
          .flat()
          .map((facet) => [facet.value, facet.count])}
      />
    </>
  );
}
