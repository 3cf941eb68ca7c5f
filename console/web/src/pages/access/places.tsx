/** The parts of the tenant. */
import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useState } from 'react';
import { call } from '../../api/client';
import { useChange, usePlaces } from '../../api/queries';
import type { Place } from '../../api/types';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { placeChoices, placeName, sortedPlaces } from '../../parts/places';
import { Problem } from '../../parts/problem';
import { Rows } from '../../parts/table';

const API = '/api/auth/v1/places';

export function Places() {
  const list = usePlaces();
  const remove = useChange('places', (id: string) =>
    call('DELETE', `${API}/${encodeURIComponent(id)}`),
  );
  return (
    <Panel
      title="Places"
      query={list}
      count={(page) => page.items.length}
      isEmpty={(page) => page.items.length === 0}
      empty="The tenant is not divided: everybody is let in everywhere by their role."
      below={<NewPlace places={list.data?.items ?? []} />}
    >
      {(page) => (
        <Rows
          label="Places"
          head={['Place', 'Kind', 'Remove']}
          rows={sortedPlaces(page.items).map((place) => ({
            key: place.id,
            cells: [
              <span className="hostile">{placeName(page.items, place.path)}</span>,
              place.kind,
              <Danger
                verb="Remove"
                thing={`place ${placeName(page.items, place.path)}`}
                consequence="Only an empty place can be removed: without places, grants, enrolment tokens or devices in it."
                act={() => remove.mutateAsync(place.id)}
              />,
            ],
          }))}
        />
      )}
    </Panel>
  );
}

function NewPlace({ places }: { places: Place[] }) {
  const [name, setName] = useState('');
  const [within, setWithin] = useState('');
  const make = useChange('places', async () => {
    await call('POST', API, { name, within: within || undefined });
    setName('');
  });
  // A group is the last: nothing lies in it.
  const choices = placeChoices(places.filter((place) => place.kind !== 'group'));
  return (
    <form
      className="form"
      aria-label="New place"
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate(undefined);
      }}
    >
      <TextInput
        label="Place name"
        required
        maxLength={200}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <NativeSelect
        label="Lies in"
        data={[{ value: '', label: 'the tenant (an organisation)' }, ...choices]}
        value={within}
        onChange={(event) => setWithin(event.currentTarget.value)}
      />
      <Button type="submit" loading={make.isPending}>
        Make the place
      </Button>
      <Problem error={make.error} />
    </form>
  );
}
