/** All devices in one table, of which only the rows in sight exist. */
import { Link } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef } from 'react';
import type { Device } from '../api/types';
import { ago } from '../format';
import { useNow } from '../live';
import { State } from './state';

const ROW_PX = 32;
/** So many rows before the end, the next page is asked for. */
const AHEAD = 20;

/** The columns: name, class, and what the platform can sort them by. */
const COLUMNS = [
  { name: 'Name', column: 'name', sort: 'name' },
  { name: 'Presence', column: 'presence' },
  { name: 'System', column: 'system' },
  { name: 'Address', column: 'address' },
  { name: 'Tags', column: 'tags' },
  { name: 'Agent', column: 'agent' },
  { name: 'Last heard of', column: 'seen', sort: 'last_seen' },
] as const;

export function DeviceTable(props: {
  devices: Device[];
  total: number;
  sort: string;
  onSort: (sort: string) => void;
  more?: () => void;
}) {
  const { devices, more } = props;
  const box = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library
  const rows = useVirtualizer({
    count: devices.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 10,
  });
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= devices.length - AHEAD) more?.();
  }, [last, devices.length, more]);
  return (
    <div
      className="rows"
      ref={box}
      tabIndex={0}
      role="table"
      aria-label="Devices"
      aria-rowcount={props.total + 1}
    >
      <Head sort={props.sort} onSort={props.onSort} />
      <div role="rowgroup" style={{ height: rows.getTotalSize(), position: 'relative' }}>
        {shown.map((item) => {
          const device = devices[item.index];
          return (
            device && <Line key={device.id} device={device} index={item.index} start={item.start} />
          );
        })}
      </div>
    </div>
  );
}

function Head({ sort, onSort }: { sort: string; onSort: (sort: string) => void }) {
  const turned = sort.startsWith('-');
  const by = sort.replace(/^-/, '') || 'name';
  return (
    <div className="row head" role="row" aria-rowindex={1}>
      {COLUMNS.map((it) => {
        const sorted = 'sort' in it && it.sort === by;
        return (
          <span
            key={it.column}
            role="columnheader"
            data-column={it.column}
            aria-sort={sorted ? (turned ? 'descending' : 'ascending') : undefined}
          >
            {'sort' in it ? (
              <button
                type="button"
                onClick={() => onSort(sorted && !turned ? `-${it.sort}` : it.sort)}
              >
                {it.name}
                <span aria-hidden="true">{sorted ? (turned ? ' ↓' : ' ↑') : ''}</span>
              </button>
            ) : (
              it.name
            )}
          </span>
        );
      })}
    </div>
  );
}

function Line({ device, index, start }: { device: Device; index: number; start: number }) {
  const now = useNow();
  const cells = {
    name: (
      <Link to="/devices/$id" params={{ id: device.id }}>
        {device.name}
      </Link>
    ),
    presence: <State value={device.presence} />,
    system: `${device.os_name} ${device.os_version}`,
    address: device.addresses[0] ?? device.remote_address,
    tags: device.tags.join(', '),
    agent: device.agent_version,
    seen: ago(device.last_seen_at, now),
  };
  return (
    <div
      className="row"
      role="row"
      aria-rowindex={index + 2}
      style={{ transform: `translateY(${start}px)` }}
    >
      {COLUMNS.map(({ column }) => (
        <span key={column} role="cell" data-column={column}>
          {cells[column]}
        </span>
      ))}
    </div>
  );
}
