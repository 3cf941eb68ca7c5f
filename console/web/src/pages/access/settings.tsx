/** What owners decide for everybody. */
import { useQuery } from '@tanstack/react-query';
import { call, get } from '../../api/client';
import { useChange } from '../../api/queries';
import type { Settings } from '../../api/types';
import { Danger } from '../../parts/dialog';
import { Problem } from '../../parts/problem';

const API = '/api/auth/v1/settings';

export function Everybody() {
  const settings = useQuery({ queryKey: ['settings'], queryFn: () => get<Settings>(API) });
  const required = settings.data?.second_factor_required;
  const change = useChange('settings', () =>
    call('PUT', API, { second_factor_required: !required }),
  );
  return (
    <section className="panel" aria-label="Second factors of everybody">
      <h2>Second factors of everybody</h2>
      <Problem error={settings.error} />
      {settings.data && (
        <>
          <p>{required ? 'Everybody needs a second factor.' : 'A second factor is optional.'}</p>
          <Danger
            verb={required ? 'Make optional' : 'Require'}
            thing="a second factor"
            consequence={
              required
                ? 'Whoever removes the second factor is let in by a password alone then.'
                : 'Whoever has none is signed out, and can then only enrol one. API keys stay.'
            }
            act={() => change.mutateAsync(undefined)}
          />
        </>
      )}
    </section>
  );
}
