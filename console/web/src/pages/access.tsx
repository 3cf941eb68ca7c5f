import { useCan } from '../api/queries';
import { Page } from '../parts/page';
import { Keys } from './access/keys';
import { Password } from './access/password';
import { People } from './access/people';
import { Sessions } from './access/sessions';
import { Tokens } from './access/tokens';

export function AccessPage() {
  const can = useCan();
  return (
    <Page title="Access">
      {can('enrolment:manage') && <Tokens />}
      {can('users:manage') && <People />}
      {can('keys:manage') && <Keys />}
      <Sessions />
      <Password />
    </Page>
  );
}
