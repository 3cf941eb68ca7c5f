import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { call } from '../api/client';
import { devicePath, useChange, usePlaces } from '../api/queries';
import type { Device } from '../api/types';
import { Dialog } from './dialog';
import { placeChoices } from './places';
import { Problem } from './problem';

/** Renames and tags a device. */
export function NameAndTags({ device }: { device: Device }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="compact-xs" variant="default" onClick={() => setOpen(true)}>
        Name and tags
      </Button>
      {open && <Form device={device} close={() => setOpen(false)} />}
    </>
  );
}

const words = (text: string) => text.split(/[\s,]+/).filter((word) => word !== '');

function Form({ device, close }: { device: Device; close: () => void }) {
  const [name, setName] = useState(device.name);
  const [tags, setTags] = useState(device.tags.join(' '));
  const here = device.place?.at(-1) ?? '';
  const [place, setPlace] = useState(here);
  const places = usePlaces().data?.items ?? [];
  const choices = placeChoices(places);
  const client = useQueryClient();
  const save = useChange('devices', async () => {
    const now = await call<Device>('PATCH', devicePath(device.id), {
      name,
      tags: words(tags),
      place: place === here ? undefined : place,
    });
    client.setQueryData(['device', device.id], now);
    close();
  });
  return (
    <Dialog label="Name and tags" onClose={close}>
      <h2>Name and tags</h2>
      <form
        className="form column"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate(undefined);
        }}
      >
        <TextInput
          label="Name"
          description="Empty: the host name"
          maxLength={200}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <TextInput
          label="Tags"
          description="Words, with spaces between them"
          value={tags}
          onChange={(event) => setTags(event.currentTarget.value)}
        />
        {choices.length > 0 && (
          <NativeSelect
            label="Place"
            description="To move a device one must be allowed to change devices at both places"
            data={[{ value: '', label: 'the whole tenant' }, ...choices]}
            value={place}
            onChange={(event) => setPlace(event.currentTarget.value)}
          />
        )}
        <Problem error={save.error} />
        <div className="actions">
          <Button variant="default" onClick={close}>
            Cancel
          </Button>
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
