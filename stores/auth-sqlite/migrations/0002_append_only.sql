-- The audit trail grows at its end and changes nowhere, whoever holds the file's writing connection.
create trigger audit_is_never_changed before update on audit
begin
  select raise(abort, 'the audit trail is append-only');
end;

create trigger audit_is_never_shortened before delete on audit
begin
  select raise(abort, 'the audit trail is append-only');
end;

-- Also keeps "insert or replace" from writing over an entry.
create trigger audit_grows_at_its_end before insert on audit
when new.seq <> 1 + coalesce((select seq from audit_heads where tenant_id = new.tenant_id), 0)
begin
  select raise(abort, 'the audit trail is append-only');
end;

create trigger audit_head_moves_on before update on audit_heads
when new.tenant_id <> old.tenant_id or new.seq <> old.seq + 1
begin
  select raise(abort, 'the audit trail is append-only');
end;

create trigger audit_head_stays before delete on audit_heads
begin
  select raise(abort, 'the audit trail is append-only');
end;
