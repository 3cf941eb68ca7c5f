-- From when on a key signs ID tokens: a day after it was made, so that clients know it by then, or at once.
alter table signing_keys add column signs_ms bigint not null default 0;
update signing_keys set signs_ms = created_ms + 86400000;
