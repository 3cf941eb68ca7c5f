-- A person has one secret in force, and at most one more that waits to be confirmed.
create table totp_credentials (
  user_id blob not null references users (id),
  confirmed boolean not null,
  sealed blob not null,
  last_step bigint not null,
  created_ms bigint not null,
  primary key (user_id, confirmed)
);

create table recovery_codes (
  user_id blob not null references users (id),
  hash blob not null,
  primary key (user_id, hash)
);

-- When a person's budget of wrong codes is whole again: the same for every replica.
create table factor_tries (
  user_id blob not null primary key references users (id),
  whole_at_ms bigint not null
);
