import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { get, query } from '../api/client';
import { AGAIN_MS, useAlerts, useCanSomewhere } from '../api/queries';
import type { Alert, DevicePage, Series } from '../api/types';
import { ago, count, percent } from '../format';
import { useNow } from '../live';
import { AlertRows, DeviceLink } from '../parts/alert-rows';
import { Page } from '../parts/page';
import { Panel } from '../parts/panel';
import { Rows } from '../parts/table';

export function OverviewPage() {
  const telemetry = useCanSomewhere()('telemetry:read');
  return (
    <Page title="Overview">
      <Numbers />
      {telemetry && <Firing />}
      <Lost />
      <div className="columns">
        {telemetry && (
          <>
            <Most
              title="Busiest processors"
              metric="device_id"
              expr="topk(5, max by (device_id) (avg_over_time(system_cpu_utilization_ratio[5m])))"
            />
            <Most
              title="Fullest filesystems"
              metric="mountpoint"
              expr="topk(5, max by (device_id, mountpoint) (system_filesystem_utilization_ratio))"
            />
          </>
        )}
        <Systems />
      </div>
    </Page>
  );
}

const useCounts = () =>
  useQuery({
    queryKey: ['devices', 'counts'],
    refetchInterval: AGAIN_MS,
    queryFn: () => get<DevicePage>('/api/devices/v1/devices?facets=presence,os&limit=1'),
  });

const firingOf = (alerts: Alert[]) => alerts.filter((alert) => alert.state === 'firing');

function Tile(props: { name: string; value: number | undefined; tone?: string; link: ReactNode }) {
  const tone = props.value ? props.tone : undefined;
  return (
    <li data-tone={tone}>
      <b>{props.value?.toLocaleString('en') ?? '–'}</b> {props.name} {props.link}
    </li>
  );
}

function Numbers() {
  const counts = useCounts();
  const telemetry = useCanSomewhere()('telemetry:read');
  const alerts = useAlerts();
  const presence = counts.data?.facets?.presence;
  const of = (value: string) =>
    presence && (presence.find((facet) => facet.value === value)?.count ?? 0);
  const all = counts.data?.total;
  return (
    <Panel title="The fleet" query={counts}>
      {() => (
        <ul className="tiles" aria-label="The fleet in numbers">
          <Tile
            name={all === 1 ? 'device' : 'devices'}
            value={all}
            link={<Link to="/devices">Show all devices</Link>}
          />
          <Tile
            name="online"
            value={of('online')}
            tone="good"
            link={
              <Link to="/devices" search={{ filter: 'presence:online' }}>
                Show online devices
              </Link>
            }
          />
          <Tile
            name="lost"
            value={of('lost')}
            tone="bad"
            link={
              <Link to="/devices" search={{ filter: 'presence:lost' }}>
                Show lost devices
              </Link>
            }
          />
          {telemetry && (
            <Tile
              name="firing"
              value={alerts.data && firingOf(alerts.data.items).length}
              tone="bad"
              link={<Link to="/alerts">Show alerts</Link>}
            />
          )}
        </ul>
      )}
    </Panel>
  );
}

function Firing() {
  const alerts = useAlerts();
  return (
    <Panel
      title="Firing alerts"
      query={{ ...alerts, data: alerts.data && firingOf(alerts.data.items) }}
      count={(firing) => firing.length}
      isEmpty={(firing) => firing.length === 0}
      empty="No alert is firing."
    >
      {(firing) => <AlertRows label="Firing alerts" alerts={firing} />}
    </Panel>
  );
}

function Lost() {
  const now = useNow();
  const devices = useQuery({
    queryKey: ['devices', 'lost'],
    refetchInterval: AGAIN_MS,
    queryFn: () =>
      get<DevicePage>('/api/devices/v1/devices?filter=presence:lost&limit=20&sort=-last_seen'),
  });
  return (
    <Panel
      title="Lost devices"
      query={devices}
      count={(page) => page.total}
      isEmpty={(page) => page.items.length === 0}
      empty="No device is lost."
    >
      {(page) => (
        <>
          <Rows
            label="Lost devices"
            head={['Device', 'Last heard of', 'System', 'Addresses']}
            rows={page.items.map((device) => ({
              key: device.id,
              cells: [
                <Link to="/devices/$id" params={{ id: device.id }} className="hostile">
                  {device.name}
                </Link>,
                ago(device.last_seen_at, now),
                <span className="hostile">{`${device.os_name} ${device.os_version}`}</span>,
                <span className="hostile">{device.addresses.join(', ')}</span>,
              ],
            }))}
          />
          {page.total > page.items.length && (
            <p className="quiet">
              and {count(page.total - page.items.length, 'other')}:{' '}
              <Link to="/devices" search={{ filter: 'presence:lost' }}>
                show all
              </Link>
            </p>
          )}
        </>
      )}
    </Panel>
  );
}

/** The five highest ratios in the fleet. */
function Most(props: { title: string; expr: string; metric: string }) {
  const top = useQuery({
    queryKey: ['top', props.expr],
    refetchInterval: AGAIN_MS,
    queryFn: () =>
      get<{ data: { result: Series[] } }>(
        `/prometheus/api/v1/query${query({ query: props.expr })}`,
      ),
  });
  const sorted = (series: Series[]) =>
    [...series].sort((a, b) => Number(b.value?.[1]) - Number(a.value?.[1]));
  return (
    <Panel
      title={props.title}
      query={top}
      isEmpty={(answer) => answer.data.result.length === 0}
      empty="No values in the last five minutes."
    >
      {(answer) => (
        <ul className="bars" aria-label={props.title}>
          {sorted(answer.data.result).map((one) => (
            <li key={JSON.stringify(one.metric)}>
              <span>
                {one.metric.device_id && <DeviceLink id={one.metric.device_id} />}{' '}
                {props.metric !== 'device_id' && (
                  <span className="hostile quiet">{one.metric[props.metric]}</span>
                )}
              </span>
              <Bar ratio={Number(one.value?.[1])} />
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Bar({ ratio }: { ratio: number }) {
  return (
    <span className="bar">
      <meter min={0} max={1} high={0.9} value={ratio} aria-hidden="true" />
      <b>{percent(ratio)}</b>
    </span>
  );
}

function Systems() {
  const counts = useCounts();
  return (
    <Panel
      title="Systems"
      query={counts}
      isEmpty={(page) => (page.facets?.os ?? []).length === 0}
      empty={
        <>
          No device yet. <Link to="/access">Make an enrolment token</Link> and run its line on one.
        </>
      }
    >
      {(page) => (
        <Rows
          label="Devices by system"
          head={['System', 'Devices']}
          numbers={['Devices']}
          rows={(page.facets?.os ?? []).map((facet) => ({
            key: facet.value,
            cells: [
              <Link to="/devices" search={{ filter: `os:${facet.value}` }} className="hostile">
                {facet.value}
              </Link>,
              facet.count,
            ],
          }))}
        />
      )}
    </Panel>
  );
}
