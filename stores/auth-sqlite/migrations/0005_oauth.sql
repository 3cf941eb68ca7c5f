create table oauth_clients (
  id blob not null primary key,
  tenant_id blob not null,
  name text not null,
  secret blob,
  redirect_uris text not null,
  grants text not null,
  scopes text not null,
  pkce_waived boolean not null,
  created_ms bigint not null
);

create table oauth_consents (
  user_id blob not null references users (id),
  client_id blob not null references oauth_clients (id),
  tenant_id blob not null,
  scopes text not null,
  given_ms bigint not null,
  primary key (user_id, client_id)
);

-- Sessions are forgotten when they are over; what was allowed in them may last longer.
create table token_families (
  id blob not null primary key,
  tenant_id blob not null,
  client_id blob not null references oauth_clients (id),
  user_id blob,
  session_id blob,
  auth_time_ms bigint,
  scopes text not null,
  created_ms bigint not null,
  expires_ms bigint not null,
  version bigint not null,
  code blob,
  phase text not null
);
create index token_families_of_client on token_families (client_id);
create index token_families_of_session on token_families (session_id);
create index token_families_of_user on token_families (user_id);
create index token_families_by_end on token_families (expires_ms);

create table signing_keys (
  kid text not null primary key,
  sealed blob not null,
  created_ms bigint not null
);
