/** Commands of one device: run, follow, look back. */
import { Button, Group, NumberInput, Stack, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { call, get } from '../api/client';
import type { Command, CommandPage, Output } from '../api/types';
import { ago } from '../format';
import { useNow } from '../live';
import { Problem } from './problem';
import { State } from './state';
import { Rows } from './table';

export function Commands({ device }: { device: string }) {
  const path = `/api/devices/v1/devices/${encodeURIComponent(device)}/commands`;
  const [script, setScript] = useState('');
  const [timeout, setTimeout] = useState<number | string>(60);
  const [followed, setFollowed] = useState<string>();
  const client = useQueryClient();
  const now = useNow();
  const list = useQuery({
    queryKey: ['commands', device],
    queryFn: () => get<CommandPage>(path),
  });
  const run = useMutation({
    mutationFn: () => call<Command>('POST', path, { script, timeout_s: Number(timeout) }),
    onSuccess: (command) => {
      setFollowed(command.id);
      void client.invalidateQueries({ queryKey: ['commands', device] });
    },
  });
  return (
    <>
      <h2>Commands</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          run.mutate();
        }}
      >
        <Stack gap="xs">
          <Textarea
            label="Script"
            description="Runs by sh on this one device, as the agent's user"
            autosize
            minRows={2}
            required
            value={script}
            onChange={(event) => setScript(event.currentTarget.value)}
          />
          <Group align="end">
            <NumberInput
              label="Seconds it may run"
              min={1}
              max={86_400}
              value={timeout}
              onChange={setTimeout}
            />
            <Button type="submit" loading={run.isPending}>
              Run
            </Button>
          </Group>
          <Problem error={run.error} />
        </Stack>
      </form>
      {followed && <Follow key={followed} id={followed} />}
      <Rows
        label="Commands"
        head={['When', 'State', 'Exit', 'Script', 'Output']}
        empty="No command yet."
        rows={(list.data?.items ?? []).map((command) => [
          ago(command.created_at, now),
          <State value={command.state} />,
          command.exit_code ?? '',
          <code>{command.script.slice(0, 80)}</code>,
          <Button size="compact-xs" variant="default" onClick={() => setFollowed(command.id)}>
            Show {command.script.slice(0, 20)}
          </Button>,
        ])}
      />
    </>
  );
}

/** What a command writes, while it writes it. */
function Follow({ id }: { id: string }) {
  const [text, setText] = useState('');
  const [command, setCommand] = useState<Command>();
  const path = `/api/devices/v1/commands/${encodeURIComponent(id)}`;
  useEffect(() => {
    const stream = new EventSource(`${path}/stream`);
    // Each connection tells everything from the beginning.
    stream.onopen = () => setText('');
    stream.addEventListener('output', (event: MessageEvent<string>) => {
      const output = JSON.parse(event.data) as Output;
      setText((before) => before + output.chunks.map((chunk) => chunk.text).join(''));
      if (output.complete) stream.close();
    });
    stream.addEventListener('command', (event: MessageEvent<string>) => {
      setCommand(JSON.parse(event.data) as Command);
    });
    return () => stream.close();
  }, [path]);
  const cancel = useMutation({ mutationFn: () => call('POST', `${path}/cancel`) });
  return (
    <section aria-label="Output">
      <Group my="xs">
        {command && <State value={command.state} />}
        {command?.status_reason}
        {command && !command.finished && (
          <Button size="compact-xs" variant="default" onClick={() => cancel.mutate()}>
            Cancel
          </Button>
        )}
      </Group>
      <Problem error={cancel.error} />
      <pre className="output" tabIndex={0} aria-label="Output of the command" aria-live="polite">
        {text}
      </pre>
      {command?.output_truncated && <p>It wrote more than is kept.</p>}
    </section>
  );
}
