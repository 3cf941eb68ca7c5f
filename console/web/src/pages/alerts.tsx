import { useState } from 'react';
import { Checkbox } from '@mantine/core';
import { useAlerts, useCan } from '../api/queries';
import { AlertRows } from '../parts/alert-rows';
import { Page } from '../parts/page';
import { Panel } from '../parts/panel';
import { Channels } from './alerts/channels';
import { Rules } from './alerts/rules';

export function AlertsPage() {
  // Rules and channels are the whole tenant's.
  const all = useCan()('telemetry:read');
  return (
    <Page title="Alerts">
      <Alerts />
      {all && (
        <>
          <Rules />
          <Channels />
        </>
      )}
    </Page>
  );
}

function Alerts() {
  const [past, setPast] = useState(false);
  const alerts = useAlerts();
  const items = alerts.data?.items.filter((alert) => past || alert.state !== 'resolved');
  return (
    <Panel
      title="Alerts"
      query={{ ...alerts, data: items }}
      count={(shown) => shown.length}
      actions={
        <Checkbox
          label="Also those resolved in the last 24 hours"
          checked={past}
          onChange={(event) => setPast(event.currentTarget.checked)}
        />
      }
      isEmpty={(shown) => shown.length === 0}
      empty="No alert is pending or firing."
    >
      {(shown) => <AlertRows label="Alerts" alerts={shown} />}
    </Panel>
  );
}
