-- Where a client's browsers may go on after a logout, and where it is told that a session has ended.
alter table oauth_clients add column post_logout_uris text not null default '';
alter table oauth_clients add column backchannel_logout_uri text;

-- Which clients that want to be told were signed in to in a session. When the session ends, the row is
-- what has to be said, from `due_ms` on.
create table session_clients (
  session_id uuid not null,
  client_id uuid not null references oauth_clients (id),
  tenant_id uuid not null,
  user_id uuid not null,
  due_ms bigint,
  tries bigint not null,
  primary key (session_id, client_id)
);
create index session_clients_of_client on session_clients (client_id);
create index session_clients_of_user on session_clients (user_id);
create index session_clients_by_due on session_clients (due_ms);
