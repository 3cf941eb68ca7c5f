/** The questions that more than one place asks, each under one key, so that they are asked once. */
import { useMutation, useQuery, useQueryClient, type QueryClient } from '@tanstack/react-query';
import { call, get, setCsrf } from './client';
import type {
  AlertList,
  ChannelList,
  Device,
  Me,
  Page,
  Place,
  QuarantinedDevice,
  RuleList,
} from './types';

/** How often lists are read again even if the platform announces nothing. */
export const AGAIN_MS = 15_000;

/** Who is signed in. */
export function useMe() {
  return useQuery({
    queryKey: ['me'],
    staleTime: 60_000,
    queryFn: async () => {
      const me = await get<Me>('/api/auth/v1/me');
      setCsrf(me.csrf_token);
      return me;
    },
  });
}

/** Forgets what somebody was told; what is about nobody stays, since the sign-in page is asking for it. */
export function forget(client: QueryClient) {
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'setup' });
}

/** Goes on as whom a sign-in, or whatever else has opened a session, has answered. */
export function signedIn(client: QueryClient, me: Me) {
  setCsrf(me.csrf_token);
  client.setQueryData(['me'], me);
}

/**
 * Tells whether the one who is signed in may do something, such as `alerts:write`, in the whole tenant,
 * no place left out.
 */
export function useCan(): (permission: string) => boolean {
  const me = useMe();
  return (permission) => me.data?.permissions.includes(permission) ?? false;
}

/** Tells whether the one who is signed in may do something at some place at least. */
export function useCanSomewhere(): (permission: string) => boolean {
  const me = useMe();
  return (permission) => me.data?.permissions_somewhere?.includes(permission) ?? false;
}

export function useAlerts() {
  const can = useCanSomewhere();
  return useQuery({
    queryKey: ['alerts'],
    enabled: can('telemetry:read'),
    refetchInterval: AGAIN_MS,
    queryFn: () => get<AlertList>('/api/monitoring/v1/alerts'),
  });
}

/** The places whose devices one may read, and those that they lie in. */
export function usePlaces() {
  const can = useCanSomewhere();
  return useQuery({
    queryKey: ['places'],
    enabled: can('devices:read'),
    refetchInterval: AGAIN_MS,
    queryFn: () => get<Page<Place>>('/api/auth/v1/places'),
  });
}

export const useRules = () =>
  useQuery({
    queryKey: ['rules'],
    refetchInterval: AGAIN_MS,
    queryFn: () => get<RuleList>('/api/monitoring/v1/rules'),
  });

export const useChannels = () =>
  useQuery({
    queryKey: ['channels'],
    refetchInterval: AGAIN_MS,
    queryFn: () => get<ChannelList>('/api/monitoring/v1/channels'),
  });

export const devicePath = (id: string) => `/api/devices/v1/devices/${encodeURIComponent(id)}`;

export const useDevice = (id: string) =>
  useQuery({
    queryKey: ['device', id],
    refetchInterval: AGAIN_MS,
    queryFn: () => get<Device>(devicePath(id)),
  });

/** Devices that do not count until somebody re-admits them. */
export function useQuarantine() {
  const can = useCan();
  return useQuery({
    queryKey: ['quarantine'],
    enabled: can('devices:read'),
    refetchInterval: AGAIN_MS,
    queryFn: () => get<Page<QuarantinedDevice>>('/api/auth/v1/quarantine'),
  });
}

/** A change of what a list shows: the list is read again once it is done. */
export function useChange<T, R = unknown>(list: string, change: (what: T) => Promise<R>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: () => client.invalidateQueries({ queryKey: [list] }),
  });
}

/** One list of who may what, such as `sessions`, and a way to remove from it. */
export function useAccessList<T>(name: string, parameters = '') {
  const path = `/api/auth/v1/${name}`;
  const list = useQuery({
    queryKey: [name, parameters],
    refetchInterval: AGAIN_MS,
    queryFn: () => get<Page<T>>(path + parameters),
  });
  const remove = useChange(name, (id: string) =>
    call('DELETE', `${path}/${encodeURIComponent(id)}`),
  );
  return { list, remove: remove.mutateAsync };
}
