create table password_links (
  user_id blob not null primary key references users (id),
  secret blob not null,
  expires_ms bigint not null
);
