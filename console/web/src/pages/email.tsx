import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { call } from '../api/client';
import { useLinkToken } from '../parts/link';
import { useTitle } from '../parts/page';
import { Problem } from '../parts/problem';

/** Where a link leads that shows that a mail address is read. Opening it is not enough: programs that look
 * into mail open links as well. */
export function EmailPage() {
  useTitle('Confirm your mail address');
  const token = useLinkToken();
  const client = useQueryClient();
  const confirm = useMutation({
    mutationFn: () => call('POST', '/api/auth/v1/email', { token }),
    onSuccess: () => client.invalidateQueries({ queryKey: ['me'] }),
  });
  return (
    <main className="narrow">
      <h1>Confirm your mail address</h1>
      {token === '' && <Problem error="This link has no token: open the one that you were sent." />}
      {confirm.isSuccess ? (
        <p role="status">This mail address is yours now: you sign in with it.</p>
      ) : (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            confirm.mutate();
          }}
        >
          <p>Confirm it if you have asked for it.</p>
          <Problem error={confirm.error} />
          <Button type="submit" loading={confirm.isPending} disabled={token === ''}>
            Confirm
          </Button>
        </form>
      )}
      <p>
        <Link to="/">Go to OpenFrame</Link>
      </p>
    </main>
  );
}
