-- When a command that has not finished may have to be ended by time. Rows from before have the time
-- of their expiry, which is never later.
drop index command_waiting;
alter table command rename column expires_at_ms to due_at_ms;
create index command_due on command (due_at_ms, command) where not finished;
create index command_unfinished on command (tenant, device, command) where not finished;
