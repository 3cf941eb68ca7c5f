-- What replicas agree on: how often rules or alerts were changed, and which of them decides about
-- alerts. One row each.
create table board (version bigint not null);
insert into board values (0);
create table leader (holder uuid not null, until_ms bigint not null);
insert into leader values ('00000000-0000-0000-0000-000000000000', -1);
