-- Sign-ins whose password was right, and whose second factor is to come.
create table half_sign_ins (
  id blob not null primary key,
  tenant_id blob not null,
  user_id blob not null references users (id),
  secret blob not null,
  expires_ms bigint not null
);
create index half_sign_ins_of_user on half_sign_ins (user_id);
create index half_sign_ins_by_end on half_sign_ins (expires_ms);

alter table sessions add column auth_time_ms bigint not null default 0;
alter table sessions add column amr text not null default 'pwd';
update sessions set auth_time_ms = created_ms;
alter table token_families add column amr text;

create table tenant_settings (
  tenant_id blob not null primary key,
  second_factor_required boolean not null
);
