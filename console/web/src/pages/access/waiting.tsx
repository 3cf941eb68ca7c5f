/** Devices that have enrolled and wait to be let in. */
import { call } from '../../api/client';
import { useAccessList, useChange, usePlaces } from '../../api/queries';
import type { WaitingDevice } from '../../api/types';
import { ago } from '../../format';
import { useNow } from '../../live';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { placeName } from '../../parts/places';
import { Rows } from '../../parts/table';

const LIST = 'waiting-devices';

export function Waiting() {
  const now = useNow();
  const places = usePlaces().data?.items ?? [];
  const { list, remove } = useAccessList<WaitingDevice>(LIST);
  const admit = useChange(LIST, (id: string) =>
    call('POST', `/api/auth/v1/${LIST}/${encodeURIComponent(id)}`),
  );
  return (
    <Panel
      title="Waiting devices"
      query={list}
      count={(page) => page.items.length}
      isEmpty={(page) => page.items.length === 0}
      empty="No device waits to be let in."
    >
      {(page) => (
        <Rows
          label="Waiting devices"
          head={[
            'Calls itself',
            'Serial',
            'From',
            'Will be at',
            'Key',
            'Since',
            'Let in',
            'Refuse',
          ]}
          rows={page.items.map((it) => ({
            key: it.device_id,
            cells: [
              <span className="hostile">{it.hostname || it.device_id}</span>,
              <span className="hostile">{it.serial || '–'}</span>,
              it.remote_address,
              placeName(places, it.place),
              <code>{it.key}</code>,
              ago(it.since, now),
              <Danger
                verb="Let in"
                thing={it.hostname || it.device_id}
                consequence="It becomes a device of the fleet. Nothing but its key is proven: compare it with what its agent printed."
                act={() => admit.mutateAsync(it.device_id)}
              />,
              <Danger
                verb="Turn away"
                thing={it.hostname || it.device_id}
                consequence="It does not come in with this key and token again."
                act={() => remove(it.device_id)}
              />,
            ],
          }))}
        />
      )}
    </Panel>
  );
}
