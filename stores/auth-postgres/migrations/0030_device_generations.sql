-- Which certificate of a device is its latest, by which two copies of one device are told apart. A device
-- that enrolled before has the number 0 until its next renewal.
alter table devices add column generation bigint not null default 0;
alter table devices add column generation_shown boolean not null default false;
alter table devices add column last_request bytea;
alter table devices add column quarantined_ms bigint;
create index devices_in_quarantine on devices (tenant_id, quarantined_ms) where quarantined_ms is not null;
