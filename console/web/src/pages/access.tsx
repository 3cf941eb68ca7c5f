import { useCan, useCanSomewhere } from '../api/queries';
import { Page } from '../parts/page';
import { Consents } from './access/consents';
import { Email } from './access/email';
import { SecondFactor } from './access/factors';
import { IdentityProviders } from './access/identity-providers';
import { Keys } from './access/keys';
import { Passkeys } from './access/passkeys';
import { Password } from './access/password';
import { People } from './access/people';
import { Places } from './access/places';
import { Programs } from './access/programs';
import { Sessions } from './access/sessions';
import { Everybody } from './access/settings';
import { SigningKeys } from './access/signing-keys';
import { Tokens } from './access/tokens';
import { Waiting } from './access/waiting';

export function AccessPage() {
  const can = useCan();
  const canSomewhere = useCanSomewhere();
  return (
    <Page title="Access">
      {canSomewhere('enrolment:manage') && <Tokens />}
      {canSomewhere('enrolment:manage') && <Waiting />}
      {can('users:manage') && <Places />}
      {can('users:manage') && <People />}
      {can('keys:manage') && <Keys />}
      {can('users:manage') && <Programs />}
      {can('users:manage') && <IdentityProviders />}
      {can('users:manage') && <SigningKeys />}
      <Sessions />
      <Consents />
      <Email />
      <Password />
      <SecondFactor />
      <Passkeys />
      {can('users:manage') && <Everybody />}
    </Page>
  );
}
