import { NativeSelect } from '@mantine/core';
import { useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { call } from '../api/client';
import {
  devicePath,
  useAlerts,
  useCan,
  useCanSomewhere,
  useChange,
  useDevice,
  usePlaces,
  useQuarantine,
} from '../api/queries';
import type { Device } from '../api/types';
import { ago, bytes, instant, quoted } from '../format';
import { useNow } from '../live';
import { AlertRows } from '../parts/alert-rows';
import { Chart, type Name } from '../parts/chart';
import { Commands } from '../parts/commands';
import { Danger } from '../parts/dialog';
import { InventoryOf } from '../parts/inventory';
import { NameAndTags } from '../parts/name-and-tags';
import { Page } from '../parts/page';
import { Answer, Panel } from '../parts/panel';
import { placeName } from '../parts/places';
import { RANGES } from '../parts/ranges';
import { State } from '../parts/state';
import { BYTES, BYTES_PER_SECOND, PLAIN, RATIO, type Unit } from '../parts/units';

export function DevicePage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const now = useNow();
  const device = useDevice(id);
  const it = device.data;
  return (
    <Page
      title={it?.name ?? 'Device'}
      lead={
        it && (
          <>
            <State value={it.presence} />
            <span className="quiet">last heard of {ago(it.last_seen_at, now)}</span>
          </>
        )
      }
      actions={it && <Actions device={it} />}
    >
      <Answer query={device}>
        {(known) => (
          <>
            <Quarantine device={known} />
            <Facts device={known} />
            <AlertsOf device={id} />
            <Charts device={id} />
            <Commands device={known} />
            <InventoryOf device={id} />
          </>
        )}
      </Answer>
    </Page>
  );
}

function Actions({ device }: { device: Device }) {
  const can = useCanSomewhere();
  const navigate = useNavigate();
  const retire = useChange('devices', async () => {
    await call('DELETE', devicePath(device.id));
    await navigate({ to: '/devices' });
  });
  if (!can('devices:write')) return null;
  return (
    <>
      <NameAndTags device={device} />
      <Danger
        verb="Retire"
        thing={device.name}
        consequence="This one device is removed with its inventory and commands, and its certificate no longer counts. To come back it must enrol again."
        act={() => retire.mutateAsync(undefined)}
      />
    </>
  );
}

/** Said of a device only if two copies of its identity were in use. */
function Quarantine({ device }: { device: Device }) {
  const can = useCan();
  const found = useQuarantine().data?.items.find((it) => it.device_id === device.id);
  const readmit = useChange('quarantine', () =>
    call('POST', `/api/auth/v1/devices/${encodeURIComponent(device.id)}/readmit`),
  );
  if (!found) return null;
  return (
    <section className="panel" aria-label="Quarantine">
      <header>
        <h2>In quarantine</h2>
        {can('devices:write') && (
          <Danger
            verb="Re-admit"
            thing={device.name}
            consequence="Its certificate counts again. Of two copies the first that renews it is the device: remove the other one before."
            act={() => readmit.mutateAsync(undefined)}
          />
        )}
      </header>
      <p>
        Two copies of this device&apos;s identity were in use, so neither has been let in since{' '}
        {instant(found.since)}.
      </p>
    </section>
  );
}

function Facts({ device }: { device: Device }) {
  const places = usePlaces().data?.items ?? [];
  const drift = Math.abs(device.clock_offset_ms) > 2000;
  const facts = [
    ['System', `${device.os_name} ${device.os_version}`],
    ['Kernel', `${device.kernel} ${device.arch}`],
    ['Hardware', [device.vendor, device.model].filter(Boolean).join(' ')],
    ['Serial', device.serial],
    ['Processors', device.cpu_count],
    ['Memory', bytes(device.memory_bytes)],
    ['Addresses', device.addresses.join(', ')],
    ['Seen from', device.remote_address],
    ['Host name', device.hostname],
    ['Agent', device.agent_version],
    ['Enrolled', instant(device.enrolled_at)],
    ['Clock', `${device.clock_offset_ms} ms off${drift ? ': set it right' : ''}`],
    ['Tags', device.tags.join(', ')],
    ['Place', placeName(places, device.place ?? [])],
    ['Id', device.id],
  ] as const;
  return (
    <dl className="facts panel" aria-label="Facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd className="hostile">{value === '' ? '–' : value}</dd>
        </div>
      ))}
    </dl>
  );
}

function AlertsOf({ device }: { device: string }) {
  const alerts = useAlerts();
  const own = (alerts.data?.items ?? []).filter(
    (alert) => alert.device_id === device && alert.state !== 'resolved',
  );
  if (own.length === 0) return null;
  return (
    <Panel title="Alerts of this device" query={{ ...alerts, data: own }}>
      {(items) => <AlertRows label="Alerts of this device" alerts={items} />}
    </Panel>
  );
}

interface Drawn {
  title: string;
  /** The samples, as a selector. */
  source: string;
  /** What is made of them, if not they themselves. */
  expr?: string;
  name: Name;
  unit: Unit;
}

/** What is drawn of every device. */
function drawn(id: string): Drawn[] {
  const own = `device_id=${quoted(id)}`;
  const load = `{__name__=~"system_cpu_load_average_.*",${own}}`;
  const network = `system_network_io_bytes_total{${own}}`;
  const disk = `system_disk_io_bytes_total{${own}}`;
  const rate = (source: string) => `sum by (direction) (rate(${source}[1m]))`;
  const direction: Name = (metric) => metric.direction ?? '';
  return [
    {
      title: 'Processor',
      source: `system_cpu_utilization_ratio{${own}}`,
      name: () => 'busy',
      unit: RATIO,
    },
    {
      title: 'Memory',
      source: `system_memory_usage_bytes{${own}}`,
      name: (metric) => metric.state ?? '',
      unit: BYTES,
    },
    {
      title: 'Load',
      // One of the three: the agent sends them together, and instants of several names clash.
      source: `system_cpu_load_average_1m{${own}}`,
      expr: load,
      name: (metric) => (metric.__name__ ?? '').replace('system_cpu_load_average_', ''),
      unit: PLAIN,
    },
    {
      title: 'Network',
      source: network,
      expr: rate(network),
      name: direction,
      unit: BYTES_PER_SECOND,
    },
    { title: 'Disks', source: disk, expr: rate(disk), name: direction, unit: BYTES_PER_SECOND },
    {
      title: 'Filesystems',
      source: `system_filesystem_utilization_ratio{${own}}`,
      name: (metric) => metric.mountpoint ?? '',
      unit: RATIO,
    },
  ];
}

function Charts({ device }: { device: string }) {
  const [minutes, setMinutes] = useState('15');
  const can = useCanSomewhere();
  if (!can('telemetry:read')) return null;
  return (
    <section className="panel" aria-label="Live">
      <header>
        <h2>Live</h2>
        <div className="actions">
          <NativeSelect
            aria-label="Time shown"
            data={RANGES}
            value={minutes}
            onChange={(event) => setMinutes(event.currentTarget.value)}
          />
        </div>
      </header>
      <div className="charts">
        {drawn(device).map(({ title, source, expr = source, name, unit }) => (
          <Chart
            key={title}
            title={title}
            name={name}
            unit={unit}
            ask={{ expr, source, device, minutes: Number(minutes) }}
          />
        ))}
      </div>
    </section>
  );
}
