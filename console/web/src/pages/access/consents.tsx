/** What one has allowed programs. */
import { useAccessList } from '../../api/queries';
import type { Consent } from '../../api/types';
import { ago } from '../../format';
import { useNow } from '../../live';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { Rows } from '../../parts/table';

export function Consents() {
  const now = useNow();
  const { list, remove } = useAccessList<Consent>('me/consents');
  return (
    <Panel
      title="Programs I have let in"
      query={list}
      count={(page) => page.items.length}
      isEmpty={(page) => page.items.length === 0}
      empty="You have let no program in."
    >
      {(page) => (
        <Rows
          label="Programs I have let in"
          head={['Program', 'May', 'Since', 'Take back']}
          rows={page.items.map((consent) => ({
            key: consent.client_id,
            cells: [
              <b>{consent.client_name}</b>,
              <code>{consent.scopes.join(' ')}</code>,
              ago(consent.given_at, now),
              <Danger
                verb="Take back"
                thing={`what ${consent.client_name} may`}
                consequence="It can do nothing in your name any more, until you let it in again."
                act={() => remove(consent.client_id)}
              />,
            ],
          }))}
        />
      )}
    </Panel>
  );
}
