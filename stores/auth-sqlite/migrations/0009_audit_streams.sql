-- Where the audit trail is sent to: how far it has got there, and which replica sends until when.
create table audit_streams (
  tenant_id blob not null,
  name text not null,
  holder blob not null,
  until_ms bigint not null,
  arrived bigint not null,
  arrived_ms bigint,
  error text not null,
  failing_since_ms bigint,
  primary key (tenant_id, name)
);
