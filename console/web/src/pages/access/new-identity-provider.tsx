/** Adds another provider that people may sign in at. */
import { Button, Checkbox, NativeSelect, PasswordInput, TextInput } from '@mantine/core';
import { useState } from 'react';
import { call } from '../../api/client';
import { useChange } from '../../api/queries';
import type { IdentityProvider } from '../../api/types';
import { Problem } from '../../parts/problem';
import { Secret } from '../../parts/secret';

/** What people may become who are made: never owners. */
const MADE = ['nobody', 'none', 'read_only', 'technician'];
const EMPTY = {
  name: '',
  issuer: '',
  client_id: '',
  client_secret: '',
  domains: '',
  creates_people: 'nobody',
  trusts_mfa: false,
};

type Typed = typeof EMPTY;
type Text = Exclude<keyof Typed, 'trusts_mfa'>;

function wanted({ domains, ...typed }: Typed) {
  return { ...typed, allowed_domains: domains.split(/[\s,]+/).filter(Boolean) };
}

export function NewIdentityProvider() {
  const [typed, setTyped] = useState(EMPTY);
  const make = useChange('identity-providers', async () => {
    const path = '/api/auth/v1/identity-providers';
    const made = await call<IdentityProvider>('POST', path, wanted(typed));
    setTyped(EMPTY);
    return made;
  });
  const field = (name: Text) => ({
    value: typed[name],
    onChange: (event: { currentTarget: { value: string } }) =>
      setTyped({ ...typed, [name]: event.currentTarget.value }),
  });
  return (
    <form
      className="form"
      aria-label="New identity provider"
      onSubmit={(event) => {
        event.preventDefault();
        make.mutate(undefined);
      }}
    >
      <TextInput label="Name on the sign-in page" required {...field('name')} />
      <TextInput
        label="Issuer"
        description="What the provider calls itself, letter by letter"
        required
        {...field('issuer')}
      />
      <TextInput label="Client ID" required {...field('client_id')} />
      <PasswordInput
        label="Client secret"
        description="Kept sealed, and never shown again"
        autoComplete="off"
        required
        {...field('client_secret')}
      />
      <TextInput
        label="Domains of mail addresses that it vouches for"
        description="None if only people sign in there who are linked"
        {...field('domains')}
      />
      <NativeSelect
        label="People who are not known yet become"
        data={MADE}
        {...field('creates_people')}
      />
      <Checkbox
        label="It is trusted to ask for several factors"
        checked={typed.trusts_mfa}
        onChange={(event) => setTyped({ ...typed, trusts_mfa: event.currentTarget.checked })}
      />
      <Button type="submit" loading={make.isPending}>
        Add the provider
      </Button>
      <Problem error={make.error} />
      <Secret
        label="The new provider"
        lead="Register this address there: browsers are sent back to it."
        text={make.data?.redirect_uri}
      />
    </form>
  );
}
