-- Who was invited and has not accepted yet, by whom, and until when that is possible.
create table invitations (
  user_id blob not null primary key references users (id),
  inviter_id blob not null references users (id),
  secret blob not null,
  mailed boolean not null,
  expires_ms bigint not null
);
