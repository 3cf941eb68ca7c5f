-- Where the audit trail ended at a time, sealed by a key that the database does not have.
create table audit_checkpoints (
  tenant_id uuid not null,
  seq bigint not null,
  hash bytea not null,
  at_ms bigint not null,
  chain_pem text not null,
  signature bytea not null,
  primary key (tenant_id, seq)
);

create function audit_checkpoints_grow_at_their_end() returns trigger language plpgsql as $$
begin
  if new.seq <= coalesce((select max(seq) from audit_checkpoints where tenant_id = new.tenant_id), 0) then
    raise exception 'the audit trail is append-only' using errcode = 'insufficient_privilege';
  end if;
  return new;
end
$$;

create trigger audit_checkpoint_is_never_changed before update or delete on audit_checkpoints
  for each row execute function audit_is_append_only();
create trigger audit_checkpoints_are_never_emptied before truncate on audit_checkpoints
  for each statement execute function audit_is_append_only();
create trigger audit_checkpoints_grow_at_their_end before insert on audit_checkpoints
  for each row execute function audit_checkpoints_grow_at_their_end();
