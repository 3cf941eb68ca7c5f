import { useQuery } from '@tanstack/react-query';
import { get } from '../api/client';
import type { Health } from '../api/types';
import { duration } from '../format';
import { Page } from '../parts/page';
import { Panel } from '../parts/panel';
import { State } from '../parts/state';
import { Rows } from '../parts/table';

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
            version {it.version}, up for {duration(it.uptime_s)}
          </span>
        )
      }
    >
      <Panel
        title="Parts"
        query={health}
        count={(known) => known.parts.length}
        isEmpty={(known) => known.parts.length === 0}
        empty="The platform names no part."
      >
        {(known) => (
          <Rows
            label="Parts of the platform"
            head={['Part', 'State', 'Waits for', 'More']}
            rows={known.parts.map((part) => ({
              key: part.name,
              cells: [
                part.name,
                <State value={part.ready ? 'ready' : 'waiting'} />,
                part.waiting_for ?? '–',
                part.detail || '–',
              ],
            }))}
          />
        )}
      </Panel>
    </Page>
  );
}
