-- Whether a person has shown to read the mail that goes to the address.
alter table users add column email_verified boolean not null default false;
-- Whether a link for a new password went to the person's address: whoever uses it reads that mail.
alter table password_links add column mailed boolean not null default false;

-- An address that is to take the place of a person's, once the link that was sent there is used.
create table email_links (
  user_id uuid not null primary key references users (id),
  email text not null,
  secret bytea not null,
  expires_ms bigint not null
);
