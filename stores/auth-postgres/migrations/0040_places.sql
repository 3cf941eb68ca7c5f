-- The parts of a tenant, and who was granted what there. A place is written as the ids on the way to it from
-- the tenant, 16 bytes each, its own the last; the whole tenant as none. `above` is what a place lies in.
create table places (
  id uuid not null primary key,
  tenant_id uuid not null,
  above bytea not null,
  name text not null,
  created_ms bigint not null,
  unique (tenant_id, above, name)
);
create table grants (
  id uuid not null primary key,
  tenant_id uuid not null,
  user_id uuid not null,
  role text not null,
  place bytea not null,
  effect text not null,
  until_ms bigint,
  created_ms bigint not null
);
create index grants_of_people on grants (user_id, id);
create index grants_at_places on grants (tenant_id, place);
alter table enrolment_tokens add column place bytea not null default ''::bytea;
alter table devices add column place bytea not null default ''::bytea;
create index devices_at_places on devices (tenant_id, place);
