import { Button, Title } from '@mantine/core';
import { useInfiniteQuery, useMutation } from '@tanstack/react-query';
import { get, query } from '../api/client';
import type { AuditEntry, AuditVerdict, Page } from '../api/types';
import { Problem } from '../parts/problem';
import { Rows } from '../parts/table';

export function AuditPage() {
  const list = useInfiniteQuery({
    queryKey: ['audit'],
    initialPageParam: '',
    queryFn: ({ pageParam }) =>
      get<Page<AuditEntry>>(`/api/auth/v1/audit${query({ limit: 50, cursor: pageParam })}`),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const verify = useMutation({ mutationFn: () => get<AuditVerdict>('/api/auth/v1/audit/verify') });
  return (
    <>
      <Title order={1}>Audit</Title>
      <p>Who did what, newest first. Each entry carries the hash of the one before.</p>
      <Button variant="default" onClick={() => verify.mutate()} loading={verify.isPending}>
        Verify the chain
      </Button>
      {verify.data && (
        <p role="status">
          {verify.data.broken_at == null
            ? `${verify.data.entries} entries, unbroken.`
            : `Broken at entry ${verify.data.broken_at}: somebody has changed the store.`}
        </p>
      )}
      <Problem error={list.error ?? verify.error} />
      <Rows
        label="Audit trail"
        head={['When', 'Who', 'What', 'To what', 'Outcome', 'More']}
        rows={(list.data?.pages ?? [])
          .flatMap((page) => page.items)
          .map((entry) => [
            new Date(entry.at).toLocaleString(),
            `${entry.actor_kind} ${entry.actor}`,
            entry.action,
            entry.target,
            entry.outcome,
            entry.detail,
          ])}
      />
      {list.hasNextPage && (
        <Button variant="default" mt="sm" onClick={() => void list.fetchNextPage()}>
          Older entries
        </Button>
      )}
    </>
  );
}
