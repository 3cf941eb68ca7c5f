-- Passkeys of people: what an authenticator calls them, and what checks their signatures (JSON; no secret).
create table passkeys (
  id uuid not null primary key,
  tenant_id uuid not null,
  user_id uuid not null references users (id),
  name text not null,
  credential bytea not null,
  key text not null,
  counter bigint not null,
  created_ms bigint not null,
  last_used_ms bigint
);
create index passkeys_of_user on passkeys (user_id);
create unique index passkeys_by_credential on passkeys (tenant_id, credential);
