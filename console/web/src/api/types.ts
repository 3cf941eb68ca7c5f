/** The API's types, from the checked-in OpenAPI documents, as `npm run generate` writes them. */
import type { components as Auth } from '../../generated/auth';
import type { components as Devices } from '../../generated/devices';
import type { components as Monitoring } from '../../generated/monitoring';

export type Me = Auth['schemas']['Me'];
export type User = Auth['schemas']['User'];
export type Session = Auth['schemas']['Session'];
export type ApiKey = Auth['schemas']['ApiKey'];
export type MadeApiKey = Auth['schemas']['MadeApiKey'];
export type EnrolmentToken = Auth['schemas']['EnrolmentToken'];
export type MadeEnrolmentToken = Auth['schemas']['MadeEnrolmentToken'];
export type AuditEntry = Auth['schemas']['AuditEntry'];
export type AuditVerdict = Auth['schemas']['AuditVerdict'];
export type SetupState = Auth['schemas']['SetupState'];

export type Device = Devices['schemas']['Device'];
export type DevicePage = Devices['schemas']['DevicePage'];
export type Inventory = Devices['schemas']['Inventory'];
export type Command = Devices['schemas']['Command'];
export type CommandPage = Devices['schemas']['CommandPage'];
export type Output = Devices['schemas']['Output'];

export type Rule = Monitoring['schemas']['Rule'];
export type RuleList = Monitoring['schemas']['RuleList'];
export type Alert = Monitoring['schemas']['Alert'];
export type AlertList = Monitoring['schemas']['AlertList'];
export type ChannelList = Monitoring['schemas']['ChannelList'];

/** One page of a list. */
export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

/** The platform's health, `GET /api/platform/v1/health`. */
export interface Health {
  version: string;
  uptime_s: number;
  parts: { name: string; ready: boolean; waiting_for?: string | null; detail?: string }[];
}

/** What `query` and `query_range` answer. */
export interface Series {
  metric: Record<string, string>;
  value?: [number, string];
  values?: [number, string][];
}
