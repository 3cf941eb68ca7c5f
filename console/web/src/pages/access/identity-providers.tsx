/** Other providers that people may sign in at. */
import { Button } from '@mantine/core';
import { call } from '../../api/client';
import { useAccessList, useChange } from '../../api/queries';
import type { IdentityProvider } from '../../api/types';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { Problem } from '../../parts/problem';
import { Rows } from '../../parts/table';
import { NewIdentityProvider } from './new-identity-provider';

/** Who is known there, and who is made. */
function knows(it: IdentityProvider) {
  if (it.allowed_domains.length === 0) return 'only people who are linked';
  const made = it.creates_people === 'nobody' ? 'nobody is made' : `makes ${it.creates_people}`;
  return `${it.allowed_domains.join(' ')}; ${made}`;
}

export function IdentityProviders() {
  const { list, remove } = useAccessList<IdentityProvider>('identity-providers');
  return (
    <Panel
      title="Identity providers"
      query={list}
      count={(page) => page.items.length}
      isEmpty={(page) => page.items.length === 0}
      empty="People sign in with OpenFrame only."
      below={<NewIdentityProvider />}
    >
      {(page) => (
        <Rows
          label="Identity providers"
          head={['Provider', 'Knows', 'Sends browsers back to', 'Sign-in', 'Remove']}
          rows={page.items.map((it) => ({
            key: it.id,
            cells: [
              <>
                <b>{it.name}</b> <code>{it.issuer}</code>
              </>,
              knows(it),
              <code>{it.redirect_uri}</code>,
              <Switch provider={it} />,
              <Danger
                verb="Remove"
                thing={`identity provider ${it.name}`}
                consequence="Nobody can sign in there any more, and whom it knows is forgotten."
                act={() => remove(it.id)}
              />,
            ],
          }))}
        />
      )}
    </Panel>
  );
}

function Switch({ provider }: { provider: IdentityProvider }) {
  const change = useChange('identity-providers', () =>
    call('PATCH', `/api/auth/v1/identity-providers/${provider.id}`, { enabled: !provider.enabled }),
  );
  const verb = provider.enabled ? 'Disable' : 'Enable';
  return (
    <>
      {provider.enabled ? 'enabled' : 'disabled'}{' '}
      <Button
        size="compact-sm"
        variant="default"
        aria-label={`${verb} identity provider ${provider.name}`}
        loading={change.isPending}
        onClick={() => change.mutate(undefined)}
      >
        {verb}
      </Button>
      <Problem error={change.error} />
    </>
  );
}
