import { Button, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Problem } from './problem';

/** A form that takes a code of the authenticator app. */
export function Code(props: {
  label: string;
  verb: string;
  busy: boolean;
  error: unknown;
  send: (code: string) => void;
}) {
  const [code, setCode] = useState('');
  return (
    <form
      aria-label={props.label}
      onSubmit={(event) => {
        event.preventDefault();
        props.send(code);
      }}
    >
      <Stack>
        <TextInput
          label="Code"
          autoComplete="one-time-code"
          required
          autoFocus
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        <Problem error={props.error} />
        <Button type="submit" loading={props.busy}>
          {props.verb}
        </Button>
      </Stack>
    </form>
  );
}
