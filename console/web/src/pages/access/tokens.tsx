/** Tokens with which devices enrol. */
import { Button, Checkbox, NativeSelect, NumberInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { call } from '../../api/client';
import { useAccessList, useChange, usePlaces } from '../../api/queries';
import type { EnrolmentToken, MadeEnrolmentToken } from '../../api/types';
import { ago, count, until } from '../../format';
import { useNow } from '../../live';
import { Danger } from '../../parts/dialog';
import { Panel } from '../../parts/panel';
import { placeChoices } from '../../parts/places';
import { Problem } from '../../parts/problem';
import { Secret } from '../../parts/secret';
import { Rows } from '../../parts/table';

export function Tokens() {
  const now = useNow();
  const { list, remove } = useAccessList<EnrolmentToken>('enrolment-tokens');
  return (
    <Panel
      title="Enrol devices"
      query={list}
      count={(page) => page.items.length}
      isEmpty={(page) => page.items.length === 0}
      empty="No token is open: no device can enrol."
      below={<NewToken />}
    >
      {(page) => (
        <Rows
          label="Enrolment tokens"
          head={['Token', 'Enrolled', 'Left', 'Ends', 'Last used', 'Revoke']}
          numbers={['Enrolled', 'Left']}
          rows={page.items.map((token) => ({
            key: token.id,
            cells: [
              <span className="hostile">{token.name || token.id}</span>,
              token.uses,
              token.uses_left,
              until(token.expires_at, now),
              ago(token.last_used_at, now),
              <Danger
                verb="Revoke"
                thing={`token ${token.name || token.id}`}
                consequence={`${count(token.uses_left, 'more device')} can then not enrol with it. Those that have stay.`}
                act={() => remove(token.id)}
              />,
            ],
          }))}
        />
      )}
    </Panel>
  );
}

/** What devices must meet beside a token, as it is typed. */
interface Terms {
  networks: string;
  serials: string;
  approval: boolean;
}

function TermsOf({ terms, set }: { terms: Terms; set: (terms: Terms) => void }) {
  return (
    <>
      <TextInput
        label="Networks they must be in"
        description="Such as 192.0.2.0/24; empty for any"
        value={terms.networks}
        onChange={(event) => set({ ...terms, networks: event.currentTarget.value })}
      />
      <TextInput
        label="Serial numbers they must have"
        description="PF3* for all that begin so; empty for any"
        value={terms.serials}
        onChange={(event) => set({ ...terms, serials: event.currentTarget.value })}
      />
      <Checkbox
        label="Each waits until somebody lets it in"
        checked={terms.approval}
        onChange={(event) => set({ ...terms, approval: event.currentTarget.checked })}
      />
    </>
  );
}

const words = (text: string) => text.split(/[\s,]+/).filter(Boolean);

function NewToken() {
  const [name, setName] = useState('');
  const [uses, setUses] = useState<number | string>(1);
  const [minutes, setMinutes] = useState<number | string>(60);
  const [place, setPlace] = useState('');
  const [terms, setTerms] = useState<Terms>({ networks: '', serials: '', approval: false });
  const choices = placeChoices(usePlaces().data?.items ?? []);
  const make = useChange('enrolment-tokens', () =>
    call<MadeEnrolmentToken>('POST', '/api/auth/v1/enrolment-tokens', {
      name: name || undefined,
      uses: Number(uses),
      expires_in_minutes: Number(minutes),
      place: place || undefined,
      networks: words(terms.networks),
      serials: words(terms.serials),
      approval: terms.approval,
    }),
  );
  return (
    <form
      className="form"
      aria-label="New token"
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate(undefined);
      }}
    >
      <TextInput
        label="Token name"
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
      />
      <NumberInput
        label="Devices it is good for"
        min={1}
        max={10_000}
        value={uses}
        onChange={setUses}
      />
      <NumberInput
        label="Minutes it is good for"
        min={1}
        max={10_080}
        value={minutes}
        onChange={setMinutes}
      />
      {choices.length > 0 && (
        <NativeSelect
          label="Where the devices are"
          data={[{ value: '', label: 'the whole tenant' }, ...choices]}
          value={place}
          onChange={(event) => setPlace(event.currentTarget.value)}
        />
      )}
      <TermsOf terms={terms} set={setTerms} />
      <Button type="submit" loading={make.isPending}>
        Make a token
      </Button>
      <Problem error={make.error} />
      <Secret
        label="Line that enrols a device"
        lead="Run this on the device, as root. It is shown once."
        text={make.data?.command}
      />
    </form>
  );
}
