/** What a platform with one device, one rule and one of everything else says. */
import type {
  Alert,
  ApiKey,
  AuditEntry,
  Channel,
  Command,
  Device,
  EnrolmentToken,
  Factors,
  Me,
  Passkey,
  Place,
  Rule,
  Session,
  User,
  WaitingDevice,
} from '../api/types';
import type { Answers } from './console';
import { HEALTH } from './health';
import { HOSTILE } from './hostile';
import { PROVIDER } from './providers';

const long = '2099-01-01T00:00:00Z';
const once = '2026-01-01T00:00:00Z';

export const ANN: User = {
  id: 'u1',
  name: 'Ann',
  email: 'ann@example.org',
  email_verified: false,
  role: 'owner',
  disabled: false,
  created_at: once,
};

export const BOB: User = {
  ...ANN,
  id: 'u2',
  name: 'Bob',
  email: 'bob@example.org',
  role: 'technician',
};

const PERMISSIONS = [
  ...['devices:read', 'devices:write', 'commands:run', 'telemetry:read', 'alerts:write'],
  ...['users:manage', 'keys:manage', 'enrolment:manage', 'audit:read', 'platform:read'],
];

export const ME: Me = {
  user: ANN,
  tenant_id: 't1',
  csrf_token: 'csrf',
  permissions: PERMISSIONS,
  permissions_somewhere: PERMISSIONS,
  grants: [],
};

export const NORTH: Place = {
  id: 'p1',
  kind: 'organisation',
  name: 'North',
  path: ['p1'],
  created_at: once,
};

export const BERLIN: Place = {
  ...NORTH,
  id: 'p2',
  kind: 'site',
  name: 'Berlin',
  path: ['p1', 'p2'],
};

export const FACTORS: Factors = {
  totp_since: null,
  passkeys: 0,
  recovery_codes: 0,
  required: false,
};

export const PASSKEY: Passkey = {
  id: 'p1',
  name: HOSTILE,
  created_at: once,
  last_used_at: once,
};

export const DEVICE: Device = {
  id: 'd1',
  name: HOSTILE,
  hostname: 'vm',
  presence: 'online',
  enrolled_at: once,
  last_seen_at: once,
  tags: ['lab'],
  os_family: 'linux',
  os_name: 'Debian',
  os_version: '12',
  kernel: '6.1',
  arch: 'x86_64',
  vendor: 'Acme',
  model: 'One',
  serial: HOSTILE,
  cpu_count: 2,
  memory_bytes: 1024 ** 3,
  addresses: ['192.0.2.2'],
  remote_address: '192.0.2.1',
  agent_version: '0.1.0',
  capabilities: ['commands', 'root'],
  clock_offset_ms: 0,
};

export const COMMAND: Command = {
  id: 'c1',
  device_id: 'd1',
  state: 'succeeded',
  finished: true,
  script: 'uname -a',
  interpreter: 'sh',
  timeout_s: 60,
  created_at: once,
  expires_at: long,
  status_reason: '',
  created_by: 'u1',
  reason: '',
  output_bytes: 1,
  output_truncated: false,
  exit_code: 0,
};

export const ALERT: Alert = {
  rule_id: 'r1',
  name: 'memory in use',
  state: 'firing',
  severity: 'critical',
  summary: 'close something',
  labels: { device_id: 'd1', state: 'used' },
  value: 1e9,
  active_at: once,
  device_id: 'd1',
};

export const RULE: Rule = {
  id: 'r1',
  name: 'memory in use',
  expr: 'system_memory_usage_bytes > 1e6',
  for_s: 60,
  severity: 'critical',
  summary: 'close something',
  channels: ['ch1'],
  created_at: once,
  state: 'firing',
};

export const CHANNEL: Channel = {
  id: 'ch1',
  name: 'pager',
  webhook_url: 'https://hook.example.org/x',
  error: 'it answered 500',
};

export const TOKEN: EnrolmentToken = {
  id: 'et1',
  name: 'office',
  uses: 1,
  uses_left: 4,
  expires_at: long,
  created_at: once,
};

export const WAITING: WaitingDevice = {
  device_id: 'd9',
  place: ['p1'],
  hostname: HOSTILE,
  serial: 'PF3ABC',
  remote_address: '192.0.2.7',
  key: 'ab'.repeat(32),
  since: once,
};

export const KEY: ApiKey = {
  id: 'k1',
  name: 'grafana',
  owner_id: 'u1',
  scopes: ['telemetry:read'],
  created_at: once,
  expires_at: long,
};

export const SESSION: Session = {
  id: 's1',
  user_id: 'u2',
  user_email: 'bob@example.org',
  created_at: once,
  last_seen_at: once,
  expires_at: long,
  remote_address: '192.0.2.9',
  user_agent: HOSTILE,
  authenticated_at: once,
  amr: ['pwd'],
  current: false,
};

export const ENTRY: AuditEntry = {
  seq: 7,
  at: once,
  actor_kind: 'user',
  actor: 'ann@example.org',
  action: 'command.create',
  target: HOSTILE,
  outcome: 'done',
  detail: 'uname -a',
  remote_address: '192.0.2.9',
  request_id: 'q1',
  hash: 'ff',
};

const PROGRAM = {
  id: 'c1',
  name: 'wiki',
  redirect_uris: ['https://wiki.example.org/cb'],
  post_logout_redirect_uris: [],
  scopes: ['openid'],
  public: false,
  own_behalf: false,
  pkce_required: true,
  created_at: '2026-01-01T00:00:00Z',
};

const CONSENT = {
  client_id: 'c1',
  client_name: 'wiki',
  scopes: ['openid', 'devices:read'],
  given_at: '2026-01-01T00:00:00Z',
};

const list = (...items: object[]) => ({ items });

/** A series whose last sample is half a minute old although the last point of the grid is now. */
function range(_: unknown, url: URL) {
  const [start, end] = ['start', 'end'].map((name) => Number(url.searchParams.get(name)));
  const values = (what: string) => ['30', '15', '0'].map((s) => [(end ?? 0) - Number(s), what]);
  const stamped = url.searchParams.get('query')?.startsWith('max(timestamp(');
  const value = stamped ? String((end ?? 0) - 30) : '0.5';
  return { data: { result: start === undefined ? [] : [{ metric: {}, values: values(value) }] } };
}

export const ANSWERS: Answers = {
  'GET /api/auth/v1/me': ME,
  'GET /api/auth/v1/setup': { needed: false, mail: true, passkeys: true },
  'GET /api/auth/v1/me/factors': FACTORS,
  'GET /api/auth/v1/me/passkeys': list(PASSKEY),
  'GET /api/auth/v1/users/*': list(PASSKEY),
  'GET /api/auth/v1/settings': { second_factor_required: false },
  'GET /api/auth/v1/users': list(ANN, BOB),
  'GET /api/auth/v1/api-keys': list(KEY),
  'GET /api/auth/v1/oauth-clients': list(PROGRAM),
  'GET /api/auth/v1/identity-providers': list(PROVIDER),
  'GET /api/auth/v1/signing-keys': list({
    kid: 'key1',
    made_at: '2026-01-01T00:00:00Z',
    signs_from: '2026-01-01T00:00:00Z',
    stage: 'signing',
  }),
  'GET /api/auth/v1/me/consents': list(CONSENT),
  'GET /api/auth/v1/enrolment-tokens': list(TOKEN),
  'GET /api/auth/v1/waiting-devices': list(WAITING),
  'GET /api/auth/v1/quarantine': list(),
  'GET /api/auth/v1/places': list(NORTH, BERLIN),
  'GET /api/auth/v1/sessions': list(SESSION, { ...SESSION, id: 's2', current: true }),
  'GET /api/auth/v1/audit/verify': { entries: 7, checkpoints: 0 },
  'GET /api/auth/v1/audit': list(ENTRY),
  'GET /api/auth/v1/audit/streams': list({
    name: 'syslog',
    to: 'tls://logs.example.org:6514',
    arrived: 5,
    behind: 2,
    error: 'invalid peer certificate',
    failing_since: once,
  }),
  'GET /api/platform/v1/health': HEALTH,
  'GET /api/devices/v1/devices': {
    ...list(DEVICE),
    total: 1,
    index_age_ms: 0,
    facets: {
      presence: [{ value: 'online', count: 1 }],
      os: [{ value: 'linux', count: 1 }],
    },
  },
  'GET /api/devices/v1/devices/d1': DEVICE,
  'GET /api/devices/v1/devices/d1/commands': list(COMMAND),
  'GET /api/devices/v1/devices/d1/inventory': {
    sections: [
      { section: 'software', at: once, hash: 'ff', body: { packages: [{ name: HOSTILE }] } },
    ],
  },
  'GET /api/monitoring/v1/alerts': list(ALERT),
  'GET /api/monitoring/v1/rules': list(RULE),
  'GET /api/monitoring/v1/channels': list(CHANNEL),
  'GET /prometheus/api/v1/label/__name__/values': { data: ['up'] },
  'GET /prometheus/api/v1/query_range': range,
  'GET /prometheus/api/v1/query': {
    data: { resultType: 'vector', result: [{ metric: { device_id: 'd1' }, value: [0, '0.5'] }] },
  },
};
