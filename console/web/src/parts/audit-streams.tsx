/** Where the audit trail is sent to, and whether it gets there. */
import { useQuery } from '@tanstack/react-query';
import { get } from '../api/client';
import { AGAIN_MS } from '../api/queries';
import type { AuditStream, Page } from '../api/types';
import { instant } from '../format';
import { Panel } from './panel';
import { State } from './state';
import { Rows } from './table';

export function AuditStreams() {
  const streams = useQuery({
    queryKey: ['audit-streams'],
    refetchInterval: AGAIN_MS,
    queryFn: () => get<Page<AuditStream>>('/api/auth/v1/audit/streams'),
  });
  return (
    <Panel
      title="Sent elsewhere"
      query={streams}
      isEmpty={(page) => page.items.length === 0}
      empty="The trail is sent nowhere: a syslog server or a webhook is named in the settings."
    >
      {(page) => (
        <Rows
          label="Where the audit trail is sent"
          head={['To', 'Address', 'Arrived', 'Behind', 'State', 'Why']}
          numbers={['Arrived', 'Behind']}
          rows={page.items.map((stream) => ({
            key: stream.name,
            cells: [
              stream.name,
              <code>{stream.to}</code>,
              stream.arrived,
              stream.behind,
              <State value={stream.error ? 'failed' : 'done'} />,
              stream.error && stream.failing_since
                ? `${stream.error}, since ${instant(stream.failing_since)}`
                : '',
            ],
          }))}
        />
      )}
    </Panel>
  );
}
