-- The parts of a tenant, and who was granted what there. A place is written as the ids on the way to it from
-- the tenant, 16 bytes each, its own the last; the whole tenant as none. `above` is what a place lies in.
create table places (
  id blob not null primary key,
  tenant_id blob not null,
  above blob not null,
  name text not null,
  created_ms bigint not null,
  unique (tenant_id, above, name)
);
create table grants (
  id blob not null primary key,
  tenant_id blob not null,
  user_id blob not null,
  role text not null,
  place blob not null,
  effect text not null,
  until_ms bigint,
  created_ms bigint not null
);
create index grants_of_people on grants (user_id, id);
create index grants_at_places on grants (tenant_id, place);
alter table enrolment_tokens add column place blob not null default x'';
alter table devices add column place blob not null default x'';
create index devices_at_places on devices (tenant_id, place);
