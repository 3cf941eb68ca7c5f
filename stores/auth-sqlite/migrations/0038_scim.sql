-- What directories keep (SCIM): groups of people, the ids that directories have of people and groups, and
-- who was ended by one. A directory is known by the person whose keys it acts by.
create table people_groups (
  id blob not null primary key,
  tenant_id blob not null,
  name text not null,
  created_ms bigint not null,
  changed_ms bigint not null
);
create index people_groups_of_tenant on people_groups (tenant_id, id);
create table group_members (
  group_id blob not null references people_groups (id),
  user_id blob not null references users (id),
  primary key (group_id, user_id)
);
create index group_members_of_people on group_members (user_id);
create table external_ids (
  tenant_id blob not null,
  directory_id blob not null,
  kind text not null,
  id blob not null,
  external_id text not null,
  primary key (directory_id, kind, id),
  unique (tenant_id, directory_id, kind, external_id)
);
create index external_ids_of_one on external_ids (id);
create table ended_people (
  user_id blob not null primary key references users (id),
  tenant_id blob not null,
  ended_ms bigint not null
);
create index users_in_order on users (tenant_id, id);
-- A key that holds every permission of an owner manages people, and goes on to hold every one.
update api_keys set scopes = scopes || ' people:provision'
where scopes = 'devices:read devices:write commands:run telemetry:read telemetry:write alerts:write'
  || ' users:manage keys:manage enrolment:manage audit:read platform:read';
