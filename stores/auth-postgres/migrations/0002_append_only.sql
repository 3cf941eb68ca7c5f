-- The audit trail grows at its end and changes nowhere, whoever writes.
create function audit_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'the audit trail is append-only' using errcode = 'insufficient_privilege';
end
$$;

create function audit_grows_at_its_end() returns trigger language plpgsql as $$
begin
  if new.seq <> 1 + coalesce((select seq from audit_heads where tenant_id = new.tenant_id), 0) then
    raise exception 'the audit trail is append-only' using errcode = 'insufficient_privilege';
  end if;
  return new;
end
$$;

create function audit_head_moves_on() returns trigger language plpgsql as $$
begin
  if new.tenant_id <> old.tenant_id or new.seq <> old.seq + 1 then
    raise exception 'the audit trail is append-only' using errcode = 'insufficient_privilege';
  end if;
  return new;
end
$$;

create trigger audit_is_never_changed before update or delete on audit
  for each row execute function audit_is_append_only();
create trigger audit_is_never_emptied before truncate on audit
  for each statement execute function audit_is_append_only();
create trigger audit_grows_at_its_end before insert on audit
  for each row execute function audit_grows_at_its_end();
create trigger audit_head_moves_on before update on audit_heads
  for each row execute function audit_head_moves_on();
create trigger audit_head_stays before delete on audit_heads
  for each row execute function audit_is_append_only();
create trigger audit_heads_are_never_emptied before truncate on audit_heads
  for each statement execute function audit_is_append_only();
