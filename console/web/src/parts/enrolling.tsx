/** An authenticator app is enrolled: its secret, the code that confirms it, and the recovery codes. */
import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { call } from '../api/client';
import type { Me, TotpConfirmed, TotpEnrolment } from '../api/types';
import { Code } from './code';
import { Problem } from './problem';
import { Secret } from './secret';

/**
 * `path`: where a secret is asked for; below it, it is confirmed. `confirmed` is told who is signed in
 * then, `done` that the recovery codes were seen.
 */
export function Enrolling(props: {
  path: string;
  verb: string;
  confirmed: (me: Me) => void;
  done: () => void;
}) {
  const [codes, setCodes] = useState<string[]>();
  const enrol = useMutation({ mutationFn: () => call<TotpEnrolment>('POST', props.path) });
  const confirm = useMutation({
    mutationFn: (code: string) => call<TotpConfirmed>('POST', `${props.path}/confirm`, { code }),
    onSuccess: ({ me, recovery_codes }) => {
      setCodes(recovery_codes);
      props.confirmed(me);
    },
  });
  if (codes) return <Codes codes={codes} done={props.done} />;
  const secret = enrol.data;
  if (!secret) {
    return (
      <>
        <Problem error={enrol.error} />
        <Button loading={enrol.isPending} onClick={() => enrol.mutate()}>
          {props.verb}
        </Button>
      </>
    );
  }
  return (
    <>
      <p>Scan this with an authenticator app, or type the key: it is shown once.</p>
      <img
        className="qr"
        alt="QR code of the key"
        src={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(secret.qr_svg)}`}
      />
      <Secret label="The key" lead="The key:" text={secret.secret} />
      <Code
        label="Confirm the app"
        verb="Confirm"
        busy={confirm.isPending}
        error={confirm.error}
        send={confirm.mutate}
      />
    </>
  );
}

/** Recovery codes, shown once. */
export function Codes({ codes, done }: { codes: string[]; done: () => void }) {
  return (
    <>
      <Secret
        label="The recovery codes"
        lead="Keep these recovery codes: each lets you in once without the app. They are shown this once."
        text={codes.join('\n')}
      />
      <Button onClick={done}>I have kept them</Button>
    </>
  );
}
