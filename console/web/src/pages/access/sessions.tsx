/** Who is signed in, and where. */
import { useAccessList, useCan } from '../../api/queries';
import type { Session } from '../../api/types';
import { ago, until } from '../../format';
import { useNow } from '../../live';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { Rows } from '../../parts/table';

export function Sessions() {
  const now = useNow();
  const everybody = useCan()('users:manage');
  const { list, remove } = useAccessList<Session>('sessions', everybody ? '?all=true' : '');
  return (
    <Panel
      title={everybody ? 'Sessions of everybody' : 'My sessions'}
      query={list}
      count={(page) => page.items.length}
      isEmpty={(page) => page.items.length === 0}
    >
      {(page) => (
        <Rows
          label="Sessions"
          head={['Who', 'From', 'Browser', 'Last seen', 'Ends', 'End']}
          rows={page.items.map((session) => ({
            key: session.id,
            cells: [
              session.user_email,
              session.remote_address,
              <span className="one-line hostile" title={session.user_agent}>
                {session.user_agent}
              </span>,
              ago(session.last_seen_at, now),
              until(session.expires_at, now),
              session.current ? (
                'this one'
              ) : (
                <Danger
                  verb="End"
                  thing={`session of ${session.user_email} at ${session.remote_address}`}
                  consequence="This one browser is signed out; nothing else is touched."
                  act={() => remove(session.id)}
                />
              ),
            ],
          }))}
        />
      )}
    </Panel>
  );
}
