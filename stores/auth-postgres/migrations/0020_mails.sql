-- Mail that waits to be sent, and which replica has taken it last. Due is when it may be taken next.
create table mails (
  id uuid not null primary key,
  tenant_id uuid not null,
  kind text not null,
  sealed bytea not null,
  created_ms bigint not null,
  ends_ms bigint not null,
  due_ms bigint not null,
  replica uuid,
  tries bigint not null
);
create index mails_by_due on mails (tenant_id, due_ms, id);
