create table oauth_clients (
  id uuid not null primary key,
  tenant_id uuid not null,
  name text not null,
  secret bytea,
  redirect_uris text not null,
  grants text not null,
  scopes text not null,
  pkce_waived boolean not null,
  created_ms bigint not null
);

create table oauth_consents (
  user_id uuid not null references users (id),
  client_id uuid not null references oauth_clients (id),
  tenant_id uuid not null,
  scopes text not null,
  given_ms bigint not null,
  primary key (user_id, client_id)
);

-- Sessions are forgotten when they are over; what was allowed in them may last longer.
create table token_families (
  id uuid not null primary key,
  tenant_id uuid not null,
  client_id uuid not null references oauth_clients (id),
  user_id uuid,
  session_id uuid,
  auth_time_ms bigint,
  scopes text not null,
  created_ms bigint not null,
  expires_ms bigint not null,
  version bigint not null,
  code bytea,
  phase text not null
);
create index token_families_of_client on token_families (client_id);
create index token_families_of_session on token_families (session_id);
create index token_families_of_user on token_families (user_id);
create index token_families_by_end on token_families (expires_ms);

create table signing_keys (
  kid text not null primary key,
  sealed bytea not null,
  created_ms bigint not null
);
