import { useQuery } from '@tanstack/react-query';
import { get } from '../api/client';
import type { Edge, Health, Replica } from '../api/types';
import { count, duration, number } from '../format';
import { Page } from '../parts/page';
import { Panel } from '../parts/panel';
import { State } from '../parts/state';
import { Rows } from '../parts/table';

/** A share of calls; rounded down, so that one failure in a million is no full hundred. */
const share = (of: number) => `${Math.floor(of * 10_000) / 100} %`;
const ms = (value: number | null | undefined) => (value == null ? '–' : `${number(value)} ms`);

function since(replica: Replica) {
  if (replica.version == null) return 'does not answer';
  return `${replica.version}, up for ${duration(replica.uptime_s ?? 0)}`;
}

function Parts({ of }: { of: Health }) {
  return (
    <Rows
      label="Parts of the platform"
      head={['Service', 'Address', 'Version', 'Part', 'State', 'Waits for', 'More']}
      rows={of.replicas.flatMap((replica) =>
        replica.parts.map((part) => ({
          key: `${replica.service} ${replica.address} ${part.name}`,
          cells: [
            replica.service,
            replica.address || '–',
            since(replica),
            part.name,
            <State value={part.ready ? 'ready' : 'waiting'} />,
            part.waiting_for ?? '–',
            part.detail || '–',
          ],
        })),
      )}
    />
  );
}

const NUMBERS = ['Calls/s', 'Success', 'Retries/s', 'p50', 'p95', 'p99'];

function Edges({ of }: { of: Edge[] }) {
  return (
    <Rows
      label="Calls between services in the last minute"
      head={['From', 'To', ...NUMBERS]}
      numbers={NUMBERS}
      rows={of.map((edge) => ({
        key: `${edge.from} ${edge.to}`,
        cells: [
          edge.from,
          edge.to,
          number(edge.requests_per_s),
          edge.success == null ? '–' : share(edge.success),
          number(edge.retries_per_s),
          ms(edge.p50_ms),
          ms(edge.p95_ms),
          ms(edge.p99_ms),
        ],
      }))}
    />
  );
}

export function HealthPage() {
  const health = useQuery({
    queryKey: ['health'],
    refetchInterval: 5_000,
    queryFn: () => get<Health>('/api/platform/v1/health'),
  });
  const it = health.data;
  return (
    <Page
      title="Platform"
      lead={
        it && (
          <span className="quiet">
            version {it.version}, {count(it.replicas.length, 'process', 'processes')},{' '}
            {it.ready ? 'everything is ready' : 'not everything is ready'}
          </span>
        )
      }
    >
      <Panel
        title="Parts"
        query={health}
        count={(known) => known.replicas.reduce((sum, replica) => sum + replica.parts.length, 0)}
        isEmpty={(known) => known.replicas.length === 0}
        empty="The platform names no part."
      >
        {(known) => <Parts of={known} />}
      </Panel>
      <Panel
        title="Between services, last minute"
        query={health}
        isEmpty={(known) => known.edges.length === 0}
        empty="All services share one process: nothing goes over a network."
      >
        {(known) => <Edges of={known.edges} />}
      </Panel>
    </Page>
  );
}
