create table users (
  id uuid not null primary key,
  tenant_id uuid not null,
  email text not null,
  name text not null,
  role text not null,
  disabled boolean not null,
  password bytea not null,
  created_ms bigint not null,
  unique (tenant_id, email)
);

create table setup (
  tenant_id uuid not null primary key,
  secret bytea not null
);

create table sessions (
  id uuid not null primary key,
  tenant_id uuid not null,
  user_id uuid not null references users (id),
  secret bytea not null,
  created_ms bigint not null,
  last_seen_ms bigint not null,
  expires_ms bigint not null,
  remote_address text not null,
  user_agent text not null
);
create index sessions_of_user on sessions (tenant_id, user_id);

create table api_keys (
  id uuid not null primary key,
  tenant_id uuid not null,
  owner_id uuid not null references users (id),
  name text not null,
  scopes text not null,
  secret bytea not null,
  created_ms bigint not null,
  expires_ms bigint not null,
  last_used_ms bigint
);
create index api_keys_of_owner on api_keys (tenant_id, owner_id);

create table enrolment_tokens (
  id uuid not null primary key,
  tenant_id uuid not null,
  name text not null,
  secret bytea not null,
  uses_left bigint not null check (uses_left >= 0),
  uses bigint not null,
  created_ms bigint not null,
  expires_ms bigint not null,
  last_used_ms bigint
);
create index enrolment_tokens_of_tenant on enrolment_tokens (tenant_id);

create table devices (
  id uuid not null primary key,
  tenant_id uuid not null,
  token_id uuid not null,
  spki bytea not null,
  revoked boolean not null,
  created_ms bigint not null,
  unique (token_id, spki)
);

create table audit (
  tenant_id uuid not null,
  seq bigint not null,
  at_ms bigint not null,
  actor_kind text not null,
  actor text not null,
  action text not null,
  target text not null,
  outcome text not null,
  detail text not null,
  remote_address text not null,
  request_id text not null,
  hash bytea not null,
  primary key (tenant_id, seq)
);

create table audit_heads (
  tenant_id uuid not null primary key,
  seq bigint not null,
  hash bytea not null
);
