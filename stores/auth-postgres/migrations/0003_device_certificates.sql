-- Which certificates were issued: one that is not here does not count. 0 stands for a device that
-- enrolled before they were written down; its next renewal ends that.
alter table devices add column certified_until_ms bigint not null default 0;

create table device_certificates (
  serial text not null primary key,
  tenant_id uuid not null,
  device_id uuid not null references devices (id),
  spki bytea not null,
  expires_ms bigint not null
);
create index device_certificates_of_device on device_certificates (tenant_id, device_id);
create index device_certificates_expire on device_certificates (expires_ms);
