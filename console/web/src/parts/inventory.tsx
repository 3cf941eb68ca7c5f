/** What a device consists of and has installed, as it said last. */
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { get } from '../api/client';
import { AGAIN_MS, devicePath } from '../api/queries';
import type { Inventory } from '../api/types';
import { ago } from '../format';
import { useNow } from '../live';
import { Panel } from './panel';
import { Structure } from './structure';

type Section = Inventory['sections'][number];

export function InventoryOf({ device }: { device: string }) {
  const inventory = useQuery({
    queryKey: ['inventory', device],
    refetchInterval: AGAIN_MS,
    queryFn: () => get<Inventory>(`${devicePath(device)}/inventory`),
  });
  return (
    <Panel
      title="Inventory"
      query={inventory}
      isEmpty={(it) => it.sections.length === 0}
      empty="The device has not reported its inventory yet."
    >
      {(it) => it.sections.map((section) => <One key={section.section} section={section} />)}
    </Panel>
  );
}

function One({ section }: { section: Section }) {
  const now = useNow();
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span className="hostile">{section.section}</span>{' '}
        <span className="age">seen so {ago(section.at, now)}</span>
      </summary>
      {/* Thousands of packages are drawn only for those who look. */}
      {open && <Structure name={section.section} value={section.body} />}
    </details>
  );
}
