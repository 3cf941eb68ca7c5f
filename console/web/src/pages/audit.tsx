import { Button, NativeSelect, TextInput } from '@mantine/core';
import { keepPreviousData, useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { get, query } from '../api/client';
import { AGAIN_MS } from '../api/queries';
import type { AuditEntry, AuditVerdict, Page as ListPage } from '../api/types';
import { count, instant, localTime, timeOf } from '../format';
import { AuditStreams } from '../parts/audit-streams';
import { Page } from '../parts/page';
import { Panel } from '../parts/panel';
import { Problem } from '../parts/problem';
import { State } from '../parts/state';
import { Rows } from '../parts/table';

/** What is looked for; it is in the address, so that it can be kept, shared and come back to. */
interface Wanted {
  action?: string;
  actor?: string;
  target?: string;
  outcome?: string;
  from?: string;
  to?: string;
}

const OUTCOMES = ['', 'done', 'refused', 'failed'].map((value) => ({
  value,
  label: value || 'any',
}));

const NAMES = ['action', 'actor', 'target', 'outcome', 'from', 'to'] as const;

/** What the address says, and nothing else of it. */
function useWanted(): Wanted {
  const search: Wanted = useSearch({ from: '/shell/audit' });
  return Object.fromEntries(NAMES.map((name) => [name, search[name]]).filter(([, it]) => it));
}

export function AuditPage() {
  const wanted = useWanted();
  const list = useInfiniteQuery({
    queryKey: ['audit', wanted],
    refetchInterval: AGAIN_MS,
    placeholderData: keepPreviousData,
    initialPageParam: '',
    queryFn: ({ pageParam: cursor }) =>
      get<ListPage<AuditEntry>>(`/api/auth/v1/audit${query({ ...wanted, limit: 100, cursor })}`),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const all = Object.keys(wanted).length === 0;
  return (
    <Page title="Audit" actions={<Verify />}>
      <Filters key={JSON.stringify(wanted)} wanted={wanted} />
      <Panel
        title="Who did what"
        query={{ ...list, data: list.data?.pages.flatMap((page) => page.items) }}
        isEmpty={(found) => found.length === 0}
        empty={all ? 'Nothing has happened yet.' : 'No entry is like this.'}
        below={
          list.hasNextPage && (
            <Button
              variant="default"
              loading={list.isFetchingNextPage}
              onClick={() => void list.fetchNextPage()}
            >
              Older entries
            </Button>
          )
        }
      >
        {(found) => <Entries entries={found} />}
      </Panel>
      <AuditStreams />
    </Page>
  );
}

function Filters({ wanted }: { wanted: Wanted }) {
  const [now, setNow] = useState(wanted);
  const navigate = useNavigate();
  const look = (search: Wanted) => void navigate({ to: '/audit', search });
  const text = (name: keyof Wanted) => ({
    value: now[name] ?? '',
    onChange: ({ currentTarget }: { currentTarget: { value: string } }) => {
      const { value } = currentTarget;
      setNow((before) => ({ ...before, [name]: value === '' ? undefined : value }));
    },
  });
  const time = (name: 'from' | 'to') => ({
    type: 'datetime-local',
    value: localTime(now[name]),
    onChange: ({ currentTarget }: { currentTarget: { value: string } }) => {
      const at = timeOf(currentTarget.value);
      setNow((before) => ({ ...before, [name]: at }));
    },
  });
  return (
    <form
      className="form"
      aria-label="Search the trail"
      onSubmit={(event) => {
        event.preventDefault();
        look(now);
      }}
    >
      <TextInput label="What" placeholder="session.create, or session." {...text('action')} />
      <TextInput label="Who" placeholder="An id" {...text('actor')} />
      <TextInput label="To what" placeholder="An id" {...text('target')} />
      <NativeSelect label="Outcome" data={OUTCOMES} {...text('outcome')} />
      <TextInput label="From" {...time('from')} />
      <TextInput label="Until" {...time('to')} />
      <Button type="submit">Search</Button>
      {Object.keys(wanted).length > 0 && (
        <Button variant="default" onClick={() => look({})}>
          Show all
        </Button>
      )}
      <a
        href={`/api/auth/v1/audit/export${query({ ...wanted })}`}
        download="audit.ndjson"
        title="JSON, an entry a line, oldest first"
      >
        Download what is found
      </a>
    </form>
  );
}

function Entries({ entries }: { entries: AuditEntry[] }) {
  return (
    <Rows
      label="Audit trail"
      head={['Number', 'When', 'Who', 'What', 'To what', 'Outcome', 'More', 'From']}
      numbers={['Number']}
      rows={entries.map((entry) => ({
        key: entry.seq,
        cells: [
          entry.seq,
          instant(entry.at),
          <span className="hostile">{`${entry.actor_kind} ${entry.actor}`}</span>,
          <code>{entry.action}</code>,
          <span className="hostile">{entry.target}</span>,
          <State value={entry.outcome} />,
          <span className="hostile">{entry.detail}</span>,
          entry.remote_address,
        ],
      }))}
    />
  );
}

/** What was found out, in a sentence. */
function told(verdict: AuditVerdict): string {
  if (verdict.broken_at != null)
    return `Broken at entry ${verdict.broken_at}: ${verdict.explanation ?? 'it does not hold'}.`;
  const { entries, checkpoints, last_checkpoint: last } = verdict;
  const seals = last
    ? `; ${count(checkpoints, 'checkpoint')}, the last of entry ${last.seq} at ${instant(last.at)}`
    : '; no checkpoint yet';
  return `${count(entries, 'entry', 'entries')}, unbroken${seals}.`;
}

function Verify() {
  const verify = useMutation({ mutationFn: () => get<AuditVerdict>('/api/auth/v1/audit/verify') });
  const verdict = verify.data;
  return (
    <>
      <span role="status">{verdict && told(verdict)}</span>
      <Problem error={verify.error} />
      <Button
        variant="default"
        title="Each entry carries the hash of the one before, and checkpoints are sealed by the platform"
        onClick={() => verify.mutate()}
        loading={verify.isPending}
      >
        Verify the trail
      </Button>
    </>
  );
}
