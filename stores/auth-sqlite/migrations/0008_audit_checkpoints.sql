-- Where the audit trail ended at a time, sealed by a key that the database does not have.
create table audit_checkpoints (
  tenant_id blob not null,
  seq bigint not null,
  hash blob not null,
  at_ms bigint not null,
  chain_pem text not null,
  signature blob not null,
  primary key (tenant_id, seq)
);

create trigger audit_checkpoint_is_never_changed before update on audit_checkpoints
begin
  select raise(abort, 'the audit trail is append-only');
end;

create trigger audit_checkpoint_stays before delete on audit_checkpoints
begin
  select raise(abort, 'the audit trail is append-only');
end;

-- Also keeps "insert or replace" from writing over one.
create trigger audit_checkpoints_grow_at_their_end before insert on audit_checkpoints
when new.seq <= coalesce((select max(seq) from audit_checkpoints where tenant_id = new.tenant_id), 0)
begin
  select raise(abort, 'the audit trail is append-only');
end;
