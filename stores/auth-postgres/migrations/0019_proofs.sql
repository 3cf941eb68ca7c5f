-- Keys that clients sign with in the place of a secret (a set of keys, JSON), and what they have to do that
-- others may leave.
alter table oauth_clients add column keys text;
alter table oauth_clients add column demands text not null default '';

-- Requests that clients have sent ahead of the browser.
create table pushed_requests (
  id uuid not null primary key,
  tenant_id uuid not null,
  client_id uuid not null references oauth_clients (id),
  secret bytea not null,
  query text not null,
  expires_ms bigint not null,
  opened_ms bigint
);
create index pushed_requests_of_client on pushed_requests (client_id);
create index pushed_requests_by_end on pushed_requests (expires_ms);

-- What was good once and was shown.
create table spent_proofs (
  hash bytea not null primary key,
  until_ms bigint not null
);
create index spent_proofs_by_end on spent_proofs (until_ms);
