-- Records are kept whole in `body` (JSON); what is searched for stands beside it.
create table device (
    tenant blob not null,
    device blob not null,
    body text not null,
    primary key (tenant, device)
);
-- Retired devices, for ever: their certificates may still be about.
create table retired (
    tenant blob not null,
    device blob not null,
    primary key (tenant, device)
);
create table section (
    tenant blob not null,
    device blob not null,
    section text not null,
    at_ms bigint not null,
    reported_at_ms bigint not null,
    hash blob not null,
    body blob not null,
    primary key (tenant, device, section, at_ms)
);
create table command (
    tenant blob not null,
    command blob not null,
    device blob not null,
    version bigint not null,
    state text not null,
    finished boolean not null,
    expires_at_ms bigint not null,
    body text not null,
    primary key (tenant, command)
);
create index command_of_device on command (tenant, device, command);
create index command_waiting on command (expires_at_ms, command) where state in ('queued', 'sent');
create table chunk (
    tenant blob not null,
    command blob not null,
    start bigint not null,
    stream text not null,
    data blob not null,
    primary key (tenant, command, start)
);
create table used_key (
    tenant blob not null,
    caller text not null,
    name text not null,
    request blob not null,
    command blob not null,
    until_ms bigint not null,
    primary key (tenant, caller, name)
);
