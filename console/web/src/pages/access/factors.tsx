/** One's own second factor. */
import { Button } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { call, get } from '../../api/client';
import { signedIn, useChange } from '../../api/queries';
import type { Factors, Me, RecoveryCodes } from '../../api/types';
import { instant } from '../../format';
import { Danger } from '../../parts/dialog';
import { Codes, Enrolling } from '../../parts/enrolling';
import { Problem } from '../../parts/problem';

const API = '/api/auth/v1/me/factors';

export function SecondFactor() {
  const client = useQueryClient();
  const [enrolling, setEnrolling] = useState(false);
  const [codes, setCodes] = useState<string[]>();
  const factors = useQuery({ queryKey: ['factors'], queryFn: () => get<Factors>(API) });
  const renew = useChange('factors', async () => {
    setCodes((await call<RecoveryCodes>('POST', `${API}/recovery-codes`)).codes);
  });
  const remove = useChange('factors', () => call('DELETE', `${API}/totp`));
  const confirmed = (me: Me) => {
    signedIn(client, me);
    void client.invalidateQueries({ queryKey: ['factors'] });
    void client.invalidateQueries({ queryKey: ['sessions'] });
  };
  const own = factors.data;
  return (
    <section className="panel" aria-label="My second factor">
      <h2>My second factor</h2>
      <Problem error={factors.error} />
      {own && <Told own={own} />}
      {codes && <Codes codes={codes} done={() => setCodes(undefined)} />}
      {enrolling ? (
        <Enrolling
          path={`${API}/totp`}
          verb="Show the key"
          confirmed={confirmed}
          done={() => setEnrolling(false)}
        />
      ) : (
        <span className="actions">
          <Button variant="default" onClick={() => setEnrolling(true)}>
            {own?.totp_since ? 'Enrol another app' : 'Enrol an authenticator app'}
          </Button>
          {own && (own.totp_since || own.passkeys > 0) && (
            <Danger
              verb="Make new"
              thing="recovery codes"
              consequence="The recovery codes that you have kept are dead then."
              act={() => renew.mutateAsync(undefined)}
            />
          )}
          {own?.totp_since && (!own.required || own.passkeys > 0) && (
            <Danger
              verb="Remove"
              thing="authenticator app"
              consequence="Without a passkey, your password alone lets you in then. You are signed out everywhere else."
              act={() => remove.mutateAsync(undefined)}
            />
          )}
        </span>
      )}
    </section>
  );
}

function Told({ own }: { own: Factors }) {
  if (!own.totp_since && own.passkeys > 0)
    return (
      <p>
        Your passkeys; {own.recovery_codes} recovery codes are left
        {own.required && '; everybody needs a second factor here'}.
      </p>
    );
  if (!own.totp_since) return <p>Your password alone lets you in.</p>;
  return (
    <p>
      An authenticator app since {instant(own.totp_since)}; {own.recovery_codes} recovery codes are
      left{own.required && '; everybody needs a second factor here'}.
    </p>
  );
}
