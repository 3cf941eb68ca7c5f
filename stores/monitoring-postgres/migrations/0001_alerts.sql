-- Rules, what they found, and what has to be told. Bodies are JSON, see record.rs.
create table rule (
    id uuid not null primary key,
    tenant uuid not null,
    name text collate "C" not null,
    body text not null,
    unique (tenant, name)
);
create table alert (
    rule uuid not null,
    labels text collate "C" not null,
    body text not null,
    primary key (rule, labels)
);
create table channel (
    id uuid not null primary key,
    tenant uuid not null,
    name text collate "C" not null,
    webhook_url text not null,
    delivered_ms bigint,
    error text,
    unique (tenant, name)
);
create table outbox (
    seq bigint generated always as identity primary key,
    key text not null unique,
    channel uuid not null,
    made_ms bigint not null,
    due_ms bigint not null,
    attempts bigint not null,
    body text not null
);
create index outbox_channel on outbox (channel, seq);
