/** What a command writes, while it writes it. */
import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { call } from '../api/client';
import type { Command, Output } from '../api/types';
import { Problem } from './problem';
import { State } from './state';

interface Told {
  text: string;
  command?: Command;
  /** Whether the stream has broken before the command's end. */
  broken: boolean;
}

function useFollowed(path: string): Told {
  const [told, setTold] = useState<Told>({ text: '', broken: false });
  useEffect(() => {
    const stream = new EventSource(`${path}/stream`);
    const change = (how: (before: Told) => Told) => setTold(how);
    // Each connection tells everything from the beginning.
    stream.onopen = () => change((before) => ({ ...before, text: '', broken: false }));
    stream.onerror = () => change((before) => ({ ...before, broken: true }));
    stream.addEventListener('output', (event: MessageEvent<string>) => {
      const output = JSON.parse(event.data) as Output;
      const more = output.chunks.map((chunk) => chunk.text).join('');
      change((before) => ({ ...before, text: before.text + more }));
      if (output.complete) stream.close();
    });
    stream.addEventListener('command', (event: MessageEvent<string>) => {
      const command = JSON.parse(event.data) as Command;
      change((before) => ({ ...before, command }));
    });
    return () => stream.close();
  }, [path]);
  return told;
}

export function Follow({ id }: { id: string }) {
  const path = `/api/devices/v1/commands/${encodeURIComponent(id)}`;
  const { text, command, broken } = useFollowed(path);
  const cancel = useMutation({ mutationFn: () => call('POST', `${path}/cancel`) });
  const running = command !== undefined && !command.finished;
  return (
    <section aria-label="Output" className="follow">
      <header>
        {command ? <State value={command.state} /> : <span className="quiet">Loading…</span>}
        {command?.exit_code != null && <span>exit {command.exit_code}</span>}
        <span className="hostile">{command?.status_reason}</span>
        {running && (
          <Button
            size="compact-xs"
            variant="default"
            loading={cancel.isPending}
            onClick={() => cancel.mutate()}
          >
            Cancel
          </Button>
        )}
        {broken && !command?.finished && <span className="age">connecting again…</span>}
      </header>
      <Problem error={cancel.error} />
      <pre className="output" tabIndex={0} aria-label="Output of the command" aria-live="polite">
        {text}
      </pre>
      {command?.finished && text === '' && <p className="quiet">It wrote nothing.</p>}
      {command?.output_truncated && <p>It wrote more than is kept: the rest is not here.</p>}
    </section>
  );
}
