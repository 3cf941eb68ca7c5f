-- Rules, what they found, and what has to be told. Bodies are JSON, see src/record.rs.
create table rule (
    id blob not null primary key,
    tenant blob not null,
    name text not null,
    body text not null,
    unique (tenant, name)
);
create table alert (
    rule blob not null,
    labels text not null,
    body text not null,
    primary key (rule, labels)
);
create table channel (
    id blob not null primary key,
    tenant blob not null,
    name text not null,
    webhook_url text not null,
    delivered_ms bigint,
    error text,
    unique (tenant, name)
);
create table outbox (
    seq integer not null primary key autoincrement,
    key text not null unique,
    channel blob not null,
    made_ms bigint not null,
    due_ms bigint not null,
    attempts bigint not null,
    body text not null
);
create index outbox_channel on outbox (channel, seq);
