/** The API's types, from the checked-in OpenAPI documents, as `npm run generate` writes them. */
import type { components as Auth } from '../../generated/auth';
import type { components as Devices } from '../../generated/devices';
import type { components as Monitoring } from '../../generated/monitoring';
import type { components as Platform } from '../../generated/platform';

export type Me = Auth['schemas']['Me'];
export type User = Auth['schemas']['User'];
export type Place = Auth['schemas']['Place'];
export type Grant = Auth['schemas']['Grant'];
export type Session = Auth['schemas']['Session'];
export type ApiKey = Auth['schemas']['ApiKey'];
export type MadeApiKey = Auth['schemas']['MadeApiKey'];
export type SignInStep = Auth['schemas']['SignInStep'];
export type Factors = Auth['schemas']['Factors'];
export type TotpEnrolment = Auth['schemas']['TotpEnrolment'];
export type TotpConfirmed = Auth['schemas']['TotpConfirmed'];
export type RecoveryCodes = Auth['schemas']['RecoveryCodes'];
export type PasskeyOptions = Auth['schemas']['PasskeyOptions'];
export type Passkey = Auth['schemas']['Passkey'];
export type PasskeyAdded = Auth['schemas']['PasskeyAdded'];
export type Settings = Auth['schemas']['Settings'];
export type PasswordLink = Auth['schemas']['PasswordLink'];
export type Invitation = Auth['schemas']['Invitation'];
export type OAuthClient = Auth['schemas']['OAuthClient'];
export type MadeOAuthClient = Auth['schemas']['MadeOAuthClient'];
export type IdentityProvider = Auth['schemas']['IdentityProvider'];
export type SigningKey = Auth['schemas']['SigningKey'];
export type RotateKeys = Auth['schemas']['RotateKeys'];
export type Consent = Auth['schemas']['Consent'];
export type EnrolmentToken = Auth['schemas']['EnrolmentToken'];
export type MadeEnrolmentToken = Auth['schemas']['MadeEnrolmentToken'];
export type WaitingDevice = Auth['schemas']['WaitingDevice'];
export type QuarantinedDevice = Auth['schemas']['QuarantinedDevice'];
export type AuditEntry = Auth['schemas']['AuditEntry'];
export type AuditVerdict = Auth['schemas']['AuditVerdict'];
export type AuditStream = Auth['schemas']['AuditStream'];
export type SetupState = Auth['schemas']['SetupState'];

export type Device = Devices['schemas']['Device'];
export type DevicePage = Devices['schemas']['DevicePage'];
export type Inventory = Devices['schemas']['Inventory'];
export type Command = Devices['schemas']['Command'];
export type FacetValue = Devices['schemas']['FacetValue'];
export type DeviceEvent = Devices['schemas']['DeviceEvent'];
export type CommandPage = Devices['schemas']['CommandPage'];
export type Output = Devices['schemas']['Output'];

export type Rule = Monitoring['schemas']['Rule'];
export type RuleList = Monitoring['schemas']['RuleList'];
export type Alert = Monitoring['schemas']['Alert'];
export type AlertList = Monitoring['schemas']['AlertList'];
export type RuleDefinition = Monitoring['schemas']['RuleDefinition'];
export type LiveEvent = Monitoring['schemas']['LiveEvent'];
export type Channel = Monitoring['schemas']['Channel'];
export type ChannelList = Monitoring['schemas']['ChannelList'];

export type Health = Platform['schemas']['Health'];
export type Edge = Platform['schemas']['Edge'];
export type Replica = Platform['schemas']['Replica'];

/** One page of a list. */
export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

/** A series of `/prometheus/api/v1/query` and `query_range`: Prometheus' own shape. */
export interface Series {
  metric: Record<string, string>;
  value?: [number, string];
  values?: [number, string][];
}
