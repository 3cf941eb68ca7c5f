-- Each process that starts has a set-up token of its own, until there is an owner.
drop table setup;

create table setup_tokens (
  tenant_id blob not null,
  secret blob not null,
  expires_ms bigint not null,
  primary key (tenant_id, secret)
);
