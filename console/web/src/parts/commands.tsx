/** Commands of one device: run, follow, look back. */
import { Button, NumberInput, Textarea } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { call, get, query } from '../api/client';
import { AGAIN_MS, devicePath, useCanSomewhere, useChange } from '../api/queries';
import type { Command, CommandPage, Device } from '../api/types';
import { ago } from '../format';
import { useNow } from '../live';
import { Follow } from './follow';
import { Panel } from './panel';
import { Problem } from './problem';
import { State } from './state';
import { Rows } from './table';

export function Commands({ device }: { device: Device }) {
  const can = useCanSomewhere();
  const now = useNow();
  const [followed, setFollowed] = useState<string>();
  const path = `${devicePath(device.id)}/commands`;
  const list = useInfiniteQuery({
    queryKey: ['commands', device.id],
    refetchInterval: AGAIN_MS,
    initialPageParam: '',
    queryFn: ({ pageParam }) => get<CommandPage>(path + query({ cursor: pageParam })),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  return (
    <>
      <section className="panel" aria-label="Run a command">
        <header>
          <h2>Run a command</h2>
        </header>
        {can('commands:run') ? (
          <Run device={device} path={path} onRun={setFollowed} />
        ) : (
          <p className="quiet">Your role may not run commands.</p>
        )}
        {followed && <Follow key={followed} id={followed} />}
      </section>
      <Panel
        title="Commands"
        query={{ ...list, data: list.data?.pages.flatMap((page) => page.items) }}
        isEmpty={(commands) => commands.length === 0}
        empty="No command has been run here."
        below={
          list.hasNextPage && (
            <Button
              variant="default"
              loading={list.isFetchingNextPage}
              onClick={() => void list.fetchNextPage()}
            >
              Older commands
            </Button>
          )
        }
      >
        {(commands) => (
          <Rows
            label="Commands"
            head={['When', 'State', 'Exit', 'Script', 'Output']}
            numbers={['Exit']}
            rows={commands.map((command) => ({
              key: command.id,
              cells: [
                ago(command.created_at, now),
                <State value={command.state} />,
                command.exit_code ?? '–',
                <code className="one-line">{command.script.slice(0, 200)}</code>,
                <Button
                  size="compact-xs"
                  variant="default"
                  aria-label={`Show the output of ${command.script.slice(0, 40)}`}
                  onClick={() => setFollowed(command.id)}
                >
                  Show
                </Button>,
              ],
            }))}
          />
        )}
      </Panel>
    </>
  );
}

function Run(props: { device: Device; path: string; onRun: (id: string) => void }) {
  const { device, path, onRun } = props;
  const [script, setScript] = useState('');
  const [timeout, setTimeout] = useState<number | string>(60);
  const run = useChange('commands', async () => {
    const command = await call<Command>('POST', path, { script, timeout_s: Number(timeout) });
    onRun(command.id);
  });
  const asRoot = device.capabilities.includes('root');
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        run.mutate(undefined);
      }}
    >
      <Textarea
        label="Script"
        description={`Runs by sh on this one device${asRoot ? ', as root' : ", as the agent's user"}.${
          device.presence === 'online' ? '' : ' It is not online: the command waits until it is.'
        }`}
        className="wide mono"
        autosize
        minRows={2}
        required
        value={script}
        onChange={(event) => setScript(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && (event.ctrlKey || event.metaKey))
            event.currentTarget.form?.requestSubmit();
        }}
      />
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
      <span className="quiet keys">
        <kbd>Ctrl</kbd> <kbd>Enter</kbd>
      </span>
      <Problem error={run.error} />
    </form>
  );
}
