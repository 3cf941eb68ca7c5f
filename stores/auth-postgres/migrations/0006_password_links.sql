create table password_links (
  user_id uuid not null primary key references users (id),
  secret bytea not null,
  expires_ms bigint not null
);
