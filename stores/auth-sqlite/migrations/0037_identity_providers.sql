-- Other providers that people may sign in at. What the platform shows there is sealed; scopes and domains have
-- spaces between them.
create table identity_providers (
  id blob not null primary key,
  tenant_id blob not null,
  name text not null,
  issuer text not null,
  client_id text not null,
  secret blob not null,
  scopes text not null,
  domains text not null,
  creates text,
  trusts_mfa boolean not null,
  enabled boolean not null,
  created_ms bigint not null,
  unique (tenant_id, name),
  unique (tenant_id, issuer)
);

-- Whom they mean: a name means one person for ever, and a person has one name there.
create table identity_links (
  provider_id blob not null references identity_providers (id),
  subject text not null,
  tenant_id blob not null,
  user_id blob not null references users (id),
  created_ms bigint not null,
  primary key (provider_id, subject),
  unique (provider_id, user_id)
);
create index identity_links_of_user on identity_links (user_id);

-- What the first factor of a half sign-in was.
alter table half_sign_ins add column amr text not null default 'pwd';
