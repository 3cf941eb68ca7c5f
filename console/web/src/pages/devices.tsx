import { Button, Group, NativeSelect, TextInput, Title } from '@mantine/core';
import { keepPreviousData, useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useDeferredValue, useEffect, useRef, useState } from 'react';
import { get, query } from '../api/client';
import type { DevicePage } from '../api/types';
import { ago } from '../format';
import { useNow } from '../live';
import { Problem } from '../parts/problem';
import { State } from '../parts/state';

const PAGE = 200;
const ROW_PX = 40;

export function DevicesPage() {
  const [search, setSearch] = useState('');
  const [presence, setPresence] = useState('');
  const [os, setOs] = useState('');
  const q = useDeferredValue(search);
  const now = useNow();
  const filter = [presence && `presence:${presence}`, os && `os:${os}`].filter(Boolean).join(',');
  const list = useInfiniteQuery({
    queryKey: ['devices', q, filter],
    initialPageParam: '',
    refetchInterval: 15_000,
    placeholderData: keepPreviousData,
    queryFn: ({ pageParam }) =>
      get<DevicePage>(
        `/api/devices/v1/devices${query({ q, filter, facets: 'presence,os', limit: PAGE, cursor: pageParam })}`,
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const devices = list.data?.pages.flatMap((page) => page.items) ?? [];
  const first = list.data?.pages[0];
  const box = useRef<HTMLDivElement>(null);
  // eslint-disable-next-line react-hooks/incompatible-library
  const rows = useVirtualizer({
    count: devices.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 10,
  });
  const shown = rows.getVirtualItems();
  const lastShown = shown.at(-1)?.index ?? 0;
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = list;
  useEffect(() => {
    if (lastShown >= devices.length - 20 && hasNextPage && !isFetchingNextPage)
      void fetchNextPage();
  }, [lastShown, devices.length, hasNextPage, isFetchingNextPage, fetchNextPage]);
  const options = (name: string) => [
    { value: '', label: 'any' },
    ...(first?.facets?.[name] ?? []).map((facet) => ({
      value: facet.value,
      label: `${facet.value} (${facet.count})`,
    })),
  ];
  return (
    <>
      <Title order={1}>Devices</Title>
      <Group align="end" my="sm">
        <TextInput
          label="Search"
          description="Name, address, system, model, serial, tag"
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        <NativeSelect
          label="Presence"
          data={options('presence')}
          value={presence}
          onChange={(event) => setPresence(event.currentTarget.value)}
        />
        <NativeSelect
          label="System"
          data={options('os')}
          value={os}
          onChange={(event) => setOs(event.currentTarget.value)}
        />
        <Button variant="default" onClick={() => void list.refetch()}>
          Read again
        </Button>
      </Group>
      <Problem error={list.error} />
      <p aria-live="polite">
        {first ? `${first.total} devices` : 'Loading…'}
        {list.dataUpdatedAt > 0 &&
          `, as of ${ago(new Date(list.dataUpdatedAt).toISOString(), now)}`}
      </p>
      <div
        className="rows"
        ref={box}
        tabIndex={0}
        role="table"
        aria-label="Devices"
        aria-rowcount={first?.total ?? 0}
      >
        <div className="row head" role="row">
          {['Name', 'Presence', 'System', 'Agent', 'Last heard of'].map((text) => (
            <span key={text} role="columnheader">
              {text}
            </span>
          ))}
        </div>
        <div role="rowgroup" style={{ height: rows.getTotalSize(), position: 'relative' }}>
          {shown.map((item) => {
            const device = devices[item.index];
            if (!device) return null;
            return (
              <div
                className="row"
                role="row"
                key={device.id}
                style={{
                  position: 'absolute',
                  top: 0,
                  width: '100%',
                  transform: `translateY(${item.start}px)`,
                }}
              >
                <span role="cell">
                  <Link to="/devices/$id" params={{ id: device.id }}>
                    {device.name}
                  </Link>
                </span>
                <span role="cell">
                  <State value={device.presence} />
                </span>
                <span role="cell">{`${device.os_name} ${device.os_version}`}</span>
                <span role="cell">{device.agent_version}</span>
                <span role="cell">{ago(device.last_seen_at, now)}</span>
              </div>
            );
          })}
        </div>
      </div>
    </>
  );
}
