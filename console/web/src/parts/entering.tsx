/** What comes after a password: nothing, a code or a passkey, or the enrolment of an authenticator app. */
import { Button } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { call } from '../api/client';
import { forget, signedIn } from '../api/queries';
import type { Me, SignInStep } from '../api/types';
import { Code } from './code';
import { Enrolling } from './enrolling';
import { knowsPasskeys, showPasskey } from './passkey';

/** What the platform answers to a right password. */
export type Entered = Me | SignInStep;

/** `entered` takes the answer to a password; `step` is what is to be shown then, if anything. */
export function useEntering(goOn: () => void) {
  const client = useQueryClient();
  const [next, setNext] = useState<SignInStep>();
  const enter = (me: Me) => {
    // What somebody else was told is not shown to this one.
    forget(client);
    signedIn(client, me);
  };
  const entered = (answer: Entered) => {
    if ('next' in answer) return setNext(answer);
    enter(answer);
    goOn();
  };
  const step = next && <SecondStep next={next} enter={enter} goOn={goOn} />;
  return { entered, step };
}

function SecondStep(props: { next: SignInStep; enter: (me: Me) => void; goOn: () => void }) {
  const finish = useMutation({
    mutationFn: async (code?: string) => {
      const path = '/api/auth/v1/login/code';
      if (code) return call<Me>('POST', path, { code });
      const { credential } = await showPasskey(`${path}/options`);
      return call<Me>('POST', path, { passkey: credential });
    },
    onSuccess: (me) => {
      props.enter(me);
      props.goOn();
    },
  });
  const { next, app, passkey } = props.next;
  if (next === 'enrol') {
    return (
      <>
        <p>Everybody needs a second factor here, and you have none yet.</p>
        <Enrolling
          path="/api/auth/v1/login/totp"
          verb="Enrol an authenticator app"
          confirmed={props.enter}
          done={props.goOn}
        />
      </>
    );
  }
  return (
    <>
      <p>
        {app
          ? 'Type the code of your authenticator app, or one of your recovery codes.'
          : 'Show your passkey, or type one of your recovery codes.'}
      </p>
      {passkey && knowsPasskeys() && (
        <p>
          <Button loading={finish.isPending} onClick={() => finish.mutate(undefined)}>
            Use a passkey
          </Button>
        </p>
      )}
      <Code
        label="Second factor"
        verb="Sign in"
        busy={finish.isPending}
        error={finish.error}
        send={finish.mutate}
      />
    </>
  );
}
