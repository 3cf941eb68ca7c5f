/** Programs that may ask people for access. */
import { useAccessList } from '../../api/queries';
import type { OAuthClient } from '../../api/types';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { Rows } from '../../parts/table';
import { NewProgram } from './new-program';

/** How it shows who it is. */
function kind(client: OAuthClient) {
  if (client.public) return 'without a secret';
  return client.jwks ? 'with keys' : 'with a secret';
}

export function Programs() {
  const { list, remove } = useAccessList<OAuthClient>('oauth-clients');
  return (
    <Panel
      title="Programs"
      query={list}
      count={(page) => page.items.length}
      isEmpty={(page) => page.items.length === 0}
      empty="No program may ask people for access."
      below={<NewProgram />}
    >
      {(page) => (
        <Rows
          label="Programs"
          head={['Program', 'Kind', 'May get', 'Goes back to', 'Remove']}
          rows={page.items.map((client) => ({
            key: client.id,
            cells: [
              <>
                <b>{client.name}</b> <code>{client.id}</code>
              </>,
              kind(client),
              <code>{client.scopes.join(' ')}</code>,
              client.redirect_uris.join(' ') || 'nowhere: it acts for itself',
              <Danger
                verb="Remove"
                thing={`program ${client.name}`}
                consequence="Nobody can sign in to it with OpenFrame any more, and its tokens are dead."
                act={() => remove(client.id)}
              />,
            ],
          }))}
        />
      )}
    </Panel>
  );
}
