-- What programs without a browser wait for, until a person answers on another device; and the wrong codes
-- that people have typed in.
create table device_grants (
  id uuid not null primary key,
  tenant_id uuid not null,
  client_id uuid not null references oauth_clients (id),
  scopes text not null,
  device_code bytea not null,
  user_code bytea not null unique,
  remote_address text not null,
  user_agent text not null,
  created_ms bigint not null,
  expires_ms bigint not null,
  denied boolean not null,
  polled_ms bigint,
  interval_ms bigint not null
);
create index device_grants_of_client on device_grants (client_id);
create index device_grants_by_end on device_grants (expires_ms);

create table device_code_misses (
  id uuid not null primary key,
  user_id uuid not null,
  at_ms bigint not null
);
create index device_code_misses_of_user on device_code_misses (user_id, at_ms);
