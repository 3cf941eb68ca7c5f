import { Link } from '@tanstack/react-router';
import { useDevice } from '../api/queries';
import type { Alert } from '../api/types';
import { ago, labels, number } from '../format';
import { useNow } from '../live';
import { State } from './state';
import { Rows } from './table';

/** A device by its name, as soon as that is known. */
export function DeviceLink({ id }: { id: string }) {
  const device = useDevice(id);
  return (
    <Link to="/devices/$id" params={{ id }} className="hostile">
      {device.data?.name ?? id}
    </Link>
  );
}

/** The labels that say more than the columns do. */
function otherLabels(alert: Alert): string {
  const others = Object.entries(alert.labels).filter(
    ([name]) => !['device_id', '__name__', 'alertname', 'severity'].includes(name),
  );
  return others.length === 0 ? '' : labels(Object.fromEntries(others));
}

/** Alerts, the worst first. */
export function AlertRows({ label, alerts }: { label: string; alerts: Alert[] }) {
  const now = useNow();
  const weight = ({ state, severity }: Alert) =>
    ['resolved', 'pending', 'firing'].indexOf(state) * 10 +
    ['info', 'warning', 'critical'].indexOf(severity);
  const sorted = [...alerts].sort(
    (a, b) => weight(b) - weight(a) || Date.parse(b.active_at) - Date.parse(a.active_at),
  );
  return (
    <Rows
      label={label}
      head={['State', 'Severity', 'Alert', 'Device', 'Value', 'Since', 'Series', 'What to do']}
      numbers={['Value']}
      rows={sorted.map((alert) => ({
        key: `${alert.rule_id} ${JSON.stringify(alert.labels)} ${alert.active_at}`,
        cells: [
          <State value={alert.state} />,
          <State value={alert.severity} />,
          <b>{alert.name}</b>,
          alert.device_id ? <DeviceLink id={alert.device_id} /> : '–',
          number(alert.value),
          ago(alert.active_at, now),
          <code className="hostile">{otherLabels(alert)}</code>,
          alert.summary,
        ],
      }))}
    />
  );
}
