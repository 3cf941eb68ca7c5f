import { Button, TextInput } from '@mantine/core';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { get, query } from '../api/client';
import { AGAIN_MS } from '../api/queries';
import type { AuditEntry, AuditVerdict, Page as ListPage } from '../api/types';
import { count, instant } from '../format';
import { Page } from '../parts/page';
import { Panel } from '../parts/panel';
import { Problem } from '../parts/problem';
import { State } from '../parts/state';
import { Rows } from '../parts/table';

export function AuditPage() {
  const [text, setText] = useState('');
  const list = useInfiniteQuery({
    queryKey: ['audit'],
    refetchInterval: AGAIN_MS,
    initialPageParam: '',
    queryFn: ({ pageParam }) =>
      get<ListPage<AuditEntry>>(`/api/auth/v1/audit${query({ limit: 100, cursor: pageParam })}`),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const entries = list.data?.pages.flatMap((page) => page.items);
  const wanted = text.trim().toLowerCase();
  const found = entries?.filter((entry) =>
    [entry.actor, entry.actor_kind, entry.action, entry.target, entry.outcome, entry.detail].some(
      (it) => it.toLowerCase().includes(wanted),
    ),
  );
  return (
    <Page title="Audit" actions={<Verify />}>
      <Panel
        title="Who did what"
        query={{ ...list, data: found }}
        isEmpty={(shown) => shown.length === 0}
        empty={`None of the ${count(entries?.length ?? 0, 'entry', 'entries')} read so far has this in it.`}
        actions={
          <TextInput
            aria-label="Search the entries read so far"
            placeholder="Search the entries read so far"
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
          />
        }
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
        {(shown) => <Entries entries={shown} />}
      </Panel>
    </Page>
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

function Verify() {
  const verify = useMutation({ mutationFn: () => get<AuditVerdict>('/api/auth/v1/audit/verify') });
  const verdict = verify.data;
  return (
    <>
      <span role="status">
        {verdict &&
          (verdict.broken_at == null
            ? `${count(verdict.entries, 'entry', 'entries')}, unbroken.`
            : `Broken at entry ${verdict.broken_at}: somebody has changed the store.`)}
      </span>
      <Problem error={verify.error} />
      <Button
        variant="default"
        title="Each entry carries the hash of the one before"
        onClick={() => verify.mutate()}
        loading={verify.isPending}
      >
        Verify the chain
      </Button>
    </>
  );
}
