-- Terms of an enrolment token: from where, which machines, and whether somebody has to let each in; a line for each.
alter table enrolment_tokens add column terms text not null default '';
-- What a device says of itself for as long as it waits to be let in, a line for each. It is in quarantine so long.
alter table devices add column claims text;
