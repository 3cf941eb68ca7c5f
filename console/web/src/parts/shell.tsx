/** What surrounds every page of somebody who is signed in. */
import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link, Outlet, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { call, signedOut } from '../api/client';
import { forget, useAlerts, useCanSomewhere, useMe } from '../api/queries';
import type { Me } from '../api/types';
import { useLive } from '../live';
import { usePages } from './pages';
import { Palette, usePalette } from './palette';
import { Problem } from './problem';
import { StepUp } from './step-up';
import { Theme } from './theme';

export function Shell() {
  const me = useMe();
  if (me.data) return <Inside me={me.data} />;
  return (
    <main className="narrow">
      <h1>OpenFrame</h1>
      {/* Who is not signed in is on the way to the sign-in page, as after any 401. */}
      {me.error && !signedOut(me.error) ? (
        <>
          <Problem error={me.error} />
          <Button onClick={() => void me.refetch()}>Try again</Button>
        </>
      ) : (
        <p role="status">Loading…</p>
      )}
    </main>
  );
}

function Inside({ me }: { me: Me }) {
  const live = useLive(useCanSomewhere()('telemetry:read'));
  const palette = usePalette();
  const [open, setOpen] = useState(false);
  return (
    <div className="shell">
      <a className="skip" href="#content">
        Skip to the content
      </a>
      <header className="side" data-open={open}>
        <div className="brand">
          <span>OpenFrame</span>
          <Button
            className="menu-button"
            variant="default"
            aria-expanded={open}
            aria-controls="menu"
            onClick={() => setOpen(!open)}
          >
            Menu
          </Button>
        </div>
        <div id="menu">
          <Button
            variant="default"
            fullWidth
            justify="space-between"
            rightSection={<kbd>Ctrl K</kbd>}
            onClick={palette.show}
          >
            Go to…
          </Button>
          <Links onFollow={() => setOpen(false)} />
          <p className="live" role="status" data-live={live}>
            {live ? 'Live' : 'Not live: connecting again…'}
          </p>
          <Theme />
          <Person me={me} />
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        <Outlet />
      </main>
      {palette.open && <Palette hide={palette.hide} />}
      <StepUp />
    </div>
  );
}

function Links({ onFollow }: { onFollow: () => void }) {
  const pages = usePages();
  const alerts = useAlerts();
  const firing = (alerts.data?.items ?? []).filter((alert) => alert.state === 'firing').length;
  return (
    <nav aria-label="Pages">
      <ul>
        {pages.map((page) => (
          <li key={page.to}>
            <Link to={page.to} activeOptions={{ exact: page.to === '/' }} onClick={onFollow}>
              {page.name}
              {page.to === '/alerts' && firing > 0 && (
                <span className="badge">{firing} firing</span>
              )}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Person({ me }: { me: Me }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const leave = useMutation({
    mutationFn: () => call('POST', '/api/auth/v1/logout'),
    onSuccess: async () => {
      await navigate({ to: '/sign-in' });
      forget(client);
    },
  });
  return (
    <div className="person">
      <span>{me.user.name}</span>
      <span className="quiet">{me.user.role.replaceAll('_', ' ')}</span>
      <Button variant="default" loading={leave.isPending} onClick={() => leave.mutate()}>
        Sign out
      </Button>
      <Problem error={leave.error} />
    </div>
  );
}
