import { TextInput } from '@mantine/core';
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useDeferredValue, useEffect, useRef } from 'react';
import { get, query } from '../api/client';
import { AGAIN_MS } from '../api/queries';
import type { DevicePage } from '../api/types';
import { count } from '../format';
import { ATTRIBUTES } from '../parts/conditions';
import { DeviceTable } from '../parts/device-table';
import { Facets } from '../parts/facets';
import { Page } from '../parts/page';
import { Age, Answer } from '../parts/panel';

const PAGE = 200;
const FACETS = Object.keys(ATTRIBUTES).join(',');

/** What is looked for, and in which order. */
interface Looked {
  q?: string;
  filter?: string;
  sort?: string;
}

function useDevices(q: string, filter: string, sort: string) {
  return useInfiniteQuery({
    queryKey: ['devices', 'list', q, filter, sort],
    initialPageParam: '',
    refetchInterval: AGAIN_MS,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam: cursor }) => {
      const wanted = { q, filter, sort, facets: FACETS, limit: PAGE, cursor };
      return get<DevicePage>(`/api/devices/v1/devices${query(wanted)}`);
    },
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

/** Words to look for. The address follows what is typed, and the field an address from elsewhere. */
function Search({ q, onChange }: { q: string; onChange: (q: string) => void }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    // The address lags behind the keys: while somebody types, the field is what counts.
    if (field.current && field.current !== document.activeElement) field.current.value = q;
  }, [q]);
  return (
    <TextInput
      ref={field}
      label="Search"
      description="Name, address, system, model, serial, tag"
      defaultValue={q}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  );
}

export function DevicesPage() {
  const { q = '', filter = '', sort = '' } = useSearch({ from: '/shell/devices' });
  const navigate = useNavigate({ from: '/devices' });
  // What is looked for is in the address: it can be kept, shared and come back to.
  const look = (part: Looked) =>
    void navigate({
      to: '/devices',
      search: (before: Looked) => ({ ...before, ...part }),
      replace: true,
    });
  const list = useDevices(useDeferredValue(q), filter, sort);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const first = list.data?.pages[0];
  return (
    <Page
      title="Devices"
      lead={
        <>
          <span className="count" aria-live="polite">
            {first ? count(first.total, 'device') : ''}
          </span>
          <Age at={list.dataUpdatedAt} />
        </>
      }
    >
      <div className="devices">
        <div className="finder">
          <Search q={q} onChange={(it) => look({ q: it })} />
          <Facets
            facets={first?.facets ?? {}}
            filter={filter}
            onChange={(it) => look({ filter: it })}
          />
        </div>
        <div className="found">
          <Answer
            query={list}
            isEmpty={(data) => data.pages[0]?.total === 0}
            empty={
              q === '' && filter === '' ? (
                <>
                  No device yet. <Link to="/access">Make an enrolment token</Link> and run its line
                  on one.
                </>
              ) : (
                'No device is like this.'
              )
            }
          >
            {(data) => (
              <DeviceTable
                devices={data.pages.flatMap((page) => page.items)}
                total={data.pages[0]?.total ?? 0}
                sort={sort}
                onSort={(it) => look({ sort: it })}
                more={more}
              />
            )}
          </Answer>
        </div>
      </div>
    </Page>
  );
}
