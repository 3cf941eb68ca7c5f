import { Title } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useParams } from '@tanstack/react-router';
import { get } from '../api/client';
import type { Device, Inventory } from '../api/types';
import { ago, bytes, number, quoted } from '../format';
import { useNow } from '../live';
import { Chart } from '../parts/chart';
import { Commands } from '../parts/commands';
import { Problem } from '../parts/problem';
import { State } from '../parts/state';
import { Rows } from '../parts/table';

const percent = (value: number) => `${number(value * 100)} %`;

export function DevicePage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const now = useNow();
  const device = useQuery({
    queryKey: ['device', id],
    refetchInterval: 15_000,
    queryFn: () => get<Device>(`/api/devices/v1/devices/${encodeURIComponent(id)}`),
  });
  if (!device.data) return <Problem error={device.error} />;
  const it = device.data;
  const own = `{device_id=${quoted(id)}}`;
  return (
    <>
      <Title order={1}>{it.name}</Title>
      <p>
        <State value={it.presence} /> last heard of {ago(it.last_seen_at, now)}; {it.os_name}{' '}
        {it.os_version}, {it.kernel}, {it.arch}; {it.cpu_count} processors, {bytes(it.memory_bytes)}
        ; agent {it.agent_version}
      </p>
      <h2>Live</h2>
      <div className="cards">
        <Chart
          title="Processor"
          expr={`system_cpu_utilization_ratio${own}`}
          name={() => 'busy'}
          show={percent}
        />
        <Chart
          title="Memory"
          expr={`system_memory_usage_bytes${own}`}
          name={(metric) => metric.state ?? ''}
          show={bytes}
        />
        <Chart
          title="Load"
          expr={`{__name__=~"system_cpu_load_average_.*",device_id=${quoted(id)}}`}
          name={(metric) => (metric.__name__ ?? '').replace('system_cpu_load_average_', '')}
        />
        <Chart
          title="Network"
          expr={`sum by (direction) (rate(system_network_io_bytes_total${own}[1m]))`}
          name={(metric) => metric.direction ?? ''}
          show={(value) => `${bytes(value)}/s`}
        />
        <Chart
          title="Filesystems"
          expr={`system_filesystem_utilization_ratio${own}`}
          name={(metric) => metric.mountpoint ?? ''}
          show={percent}
        />
      </div>
      <Commands device={id} />
      <InventoryOf device={id} />
    </>
  );
}

function InventoryOf({ device }: { device: string }) {
  const now = useNow();
  const inventory = useQuery({
    queryKey: ['inventory', device],
    queryFn: () =>
      get<Inventory>(`/api/devices/v1/devices/${encodeURIComponent(device)}/inventory`),
  });
  return (
    <>
      <h2>Inventory</h2>
      <Problem error={inventory.error} />
      <Rows
        label="Inventory"
        head={['Section', 'Seen so', 'Content']}
        empty="The device has not reported its inventory yet."
        rows={(inventory.data?.sections ?? []).map((section) => [
          section.section,
          ago(section.at, now),
          <details>
            <summary>Show {section.section}</summary>
            <pre className="output" tabIndex={0} aria-label={`Inventory, ${section.section}`}>
              {JSON.stringify(section.body, null, 2)}
            </pre>
          </details>,
        ])}
      />
    </>
  );
}
