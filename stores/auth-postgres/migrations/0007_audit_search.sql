-- What the audit trail is searched by. Each ends with the place, so that what is found is in order.
create index audit_by_action on audit (tenant_id, action, seq);
create index audit_by_family on audit (tenant_id, (left(action, strpos(action, '.'))), seq);
create index audit_by_actor on audit (tenant_id, actor, seq);
create index audit_by_target on audit (tenant_id, target, seq);
-- Most are 'done': those are found as fast without.
create index audit_by_outcome on audit (tenant_id, outcome, seq) where outcome <> 'done';
create index audit_by_time on audit (tenant_id, at_ms, seq);
