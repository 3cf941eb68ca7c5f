-- What replicas agree on: how often rules or alerts were changed, and which of them decides about
-- alerts. One row each.
create table board (version bigint not null);
insert into board values (0);
create table leader (holder blob not null, until_ms bigint not null);
insert into leader values (x'00000000000000000000000000000000', -1);
