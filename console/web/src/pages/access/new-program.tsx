/** Registers a program that may ask people for access. */
import { Button, Checkbox, Textarea, TextInput } from '@mantine/core';
import { useState } from 'react';
import { call } from '../../api/client';
import { useChange, useMe } from '../../api/queries';
import type { MadeOAuthClient } from '../../api/types';
import { Problem } from '../../parts/problem';
import { Secret } from '../../parts/secret';

/** The grant of a program without a browser (RFC 8628). */
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';
/** Scopes that are about a person; all others are permissions. */
const PERSONAL = ['openid', 'profile', 'email', 'offline_access'];

/** What is typed in as text: lists have one thing on each line. */
const TEXTS = {
  name: '',
  uris: '',
  after: '',
  told: '',
  keys: '',
};
/** What is ticked. */
const TICKS = [
  ['public', "It runs on people's own machines and keeps no secret"],
  ['device', 'It has no browser: people allow it on another device'],
  ['own_behalf', 'It may act for itself'],
  ['pushed_requests', 'It sends its requests ahead of the browser'],
  ['bound_tokens', 'Its tokens are of use to who holds its key only'],
] as const;

type Texts = typeof TEXTS;
type Tick = (typeof TICKS)[number][0];

function wanted(texts: Texts, ticks: Tick[], scopes: string[]) {
  const ticked = (tick: Tick) => ticks.includes(tick);
  return {
    name: texts.name,
    redirect_uris: lines(texts.uris),
    post_logout_redirect_uris: lines(texts.after),
    backchannel_logout_uri: texts.told.trim() || null,
    jwks: keys(texts.keys),
    scopes,
    more_grants: ticked('device') ? [DEVICE_CODE] : [],
    demands: (['pushed_requests', 'bound_tokens'] as const).filter(ticked),
    public: ticked('public'),
    own_behalf: ticked('own_behalf'),
  };
}

function keys(text: string) {
  if (!text.trim()) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('The keys are not JSON: paste a set of public keys, {"keys": [...]}');
  }
}

export function NewProgram() {
  const [texts, setTexts] = useState(TEXTS);
  const [ticks, setTicks] = useState<Tick[]>([]);
  const [scopes, setScopes] = useState<string[]>(['openid']);
  const make = useChange('oauth-clients', async () => {
    const body = wanted(texts, ticks, scopes);
    const made = await call<MadeOAuthClient>('POST', '/api/auth/v1/oauth-clients', body);
    setTexts(TEXTS);
    setTicks([]);
    return made;
  });
  const set = (name: keyof Texts) => (text: string) => setTexts({ ...texts, [name]: text });
  return (
    <form
      className="form"
      aria-label="New program"
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate(undefined);
      }}
    >
      <Written texts={texts} set={set} />
      <Scopes chosen={scopes} choose={setScopes} />
      <Ticks chosen={ticks} choose={setTicks} />
      <Button type="submit" loading={make.isPending} disabled={scopes.length === 0}>
        Register the program
      </Button>
      <Problem error={make.error} />
      <Secret
        label="The new program"
        lead="Give this to the program now: the secret is shown once."
        text={made(make.data)}
      />
    </form>
  );
}

function Written({
  texts,
  set,
}: {
  texts: Texts;
  set: (name: keyof Texts) => (text: string) => void;
}) {
  return (
    <>
      <TextInput
        label="Name that people are shown"
        required
        value={texts.name}
        onChange={(event) => set('name')(event.currentTarget.value)}
      />
      <Lines label="Addresses it goes back to" text={texts.uris} change={set('uris')} />
      <Lines
        label="Addresses after a logout"
        none="if it never logs people out of OpenFrame"
        text={texts.after}
        change={set('after')}
      />
      <TextInput
        label="Address that is told of logouts"
        description="Back-channel logout; none if the program does not know it"
        value={texts.told}
        onChange={(event) => set('told')(event.currentTarget.value)}
      />
      <Textarea
        label="Keys that it signs with"
        description="A set of public keys (JWKS), in the place of a secret; none if it has a secret"
        autosize
        value={texts.keys}
        onChange={(event) => set('keys')(event.currentTarget.value)}
      />
    </>
  );
}

function Ticks({ chosen, choose }: { chosen: Tick[]; choose: (ticks: Tick[]) => void }) {
  const set = (tick: Tick, on: boolean) =>
    choose(on ? [...chosen, tick] : chosen.filter((other) => other !== tick));
  return TICKS.map(([tick, label]) => (
    <Checkbox
      key={tick}
      label={label}
      checked={chosen.includes(tick)}
      onChange={(event) => set(tick, event.currentTarget.checked)}
    />
  ));
}

function Lines(props: {
  label: string;
  none?: string;
  text: string;
  change: (text: string) => void;
}) {
  return (
    <Textarea
      label={props.label}
      description={props.none ? `One on each line; none ${props.none}` : 'One on each line'}
      autosize
      value={props.text}
      onChange={(event) => props.change(event.currentTarget.value)}
    />
  );
}

/** What is not empty of a text with one thing on each line. */
function lines(text: string) {
  return text.split(/\s+/).filter(Boolean);
}

function Scopes({ chosen, choose }: { chosen: string[]; choose: (scopes: string[]) => void }) {
  const me = useMe();
  return (
    <Checkbox.Group label="It may get at most" className="scopes" value={chosen} onChange={choose}>
      {[...PERSONAL, ...(me.data?.permissions ?? [])].map((scope) => (
        <Checkbox key={scope} value={scope} label={scope} />
      ))}
    </Checkbox.Group>
  );
}

function made(made?: MadeOAuthClient) {
  if (!made) return undefined;
  const secret = made.secret ? [`client_secret ${made.secret}`] : [];
  return [`issuer ${made.issuer}`, `client_id ${made.client.id}`, ...secret].join('\n');
}
