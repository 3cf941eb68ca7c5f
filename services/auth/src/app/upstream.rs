//! Other providers that people may sign in at: adding, changing and removing them.
//!
//! Whoever adds one lets it say who somebody is, owners too: it takes somebody who holds all that owners
//! hold.

mod known;
mod sign_in;
mod whom;

use openframe_auth_api::{NOBODY, UPSTREAM, UPSTREAM_CALLBACK};
use openframe_ids::IdentityProviderId;
use openframe_tokens::{Permission, Place, Role};
use openframe_upstream::issuer_fault;

use super::grants::need_held;
use super::people::checked_name;
use super::{Asked, Auth, need, need_whole};
use crate::Error;
use crate::domain::IdentityProvider;
use crate::store::ProviderKept;

use known::Trouble;
pub(super) use known::Upstreams;
#[cfg(test)]
pub(super) use sign_in::TRY_LIFETIME;
pub use sign_in::{UpstreamBegun, UpstreamEnded};

/// The longest id or secret that a provider gives, in bytes.
const GIVEN_MAX: usize = 1000;
/// Scopes or domains of a provider at most, and the longest of them.
const WORDS: usize = 50;
const WORD_MAX: usize = 253;
/// What is asked for when it is not said.
const SCOPES: [&str; 3] = ["openid", "profile", "email"];

/// A provider to add.
pub struct NewProvider {
    /// What people are shown.
    pub name: String,
    /// What it calls itself.
    pub issuer: String,
    /// What the platform is called there.
    pub client_id: String,
    /// The secret that the platform was given there.
    pub client_secret: String,
    /// What is asked for there.
    pub scopes: Option<Vec<String>>,
    /// The domains of known mail addresses.
    pub domains: Vec<String>,
    /// The role of people who are made, or [`NOBODY`].
    pub creates: String,
    /// Whether several factors that were shown there count here.
    pub trusts_mfa: bool,
    /// Whether people may sign in there.
    pub enabled: bool,
}

/// What to change of a provider; what is `None` stays.
#[derive(Default)]
pub struct ProviderChange {
    /// What people are shown.
    pub name: Option<String>,
    /// Another secret.
    pub client_secret: Option<String>,
    /// What is asked for there.
    pub scopes: Option<Vec<String>>,
    /// The domains of known mail addresses.
    pub domains: Option<Vec<String>>,
    /// The role of people who are made, or [`NOBODY`].
    pub creates: Option<String>,
    /// Whether several factors that were shown there count here.
    pub trusts_mfa: Option<bool>,
    /// Whether people may sign in there.
    pub enabled: Option<bool>,
}

impl Auth {
    /// Every provider.
    pub async fn identity_providers(&self, asked: &Asked) -> Result<Vec<IdentityProvider>, Error> {
        need(&asked.caller, Permission::UsersManage)?;
        Ok(self.store.identity_providers.list(asked.caller.tenant).await?)
    }

    /// Where providers have to send browsers back to.
    pub fn upstream_redirect(&self) -> String {
        format!("{}{UPSTREAM_CALLBACK}", self.own_url())
    }

    /// What the sign-in page shows: what people may sign in at, and where the browser goes for that.
    pub async fn sign_in_providers(&self) -> Result<Vec<(String, String)>, Error> {
        if !self.has_issuer() {
            return Ok(Vec::new());
        }
        let all = self.store.identity_providers.list(self.tenant).await?;
        let shown = |it: IdentityProvider| (it.name, format!("{UPSTREAM}{}", it.id));
        Ok(all.into_iter().filter(|it| it.enabled).map(shown).collect())
    }

    /// Adds a provider, once it has said itself that it is that one.
    pub async fn create_identity_provider(
        &self,
        asked: &Asked,
        new: NewProvider,
    ) -> Result<IdentityProvider, Error> {
        self.may_set_up(asked).await?;
        if !self.has_issuer() {
            let unset = "set `url` in the platform's settings first: providers send browsers there";
            return Err(Error::Invalid(unset.to_owned()));
        }
        if let Some(fault) = issuer_fault(&new.issuer) {
            return Err(Error::Invalid(fault));
        }
        let id = IdentityProviderId::new();
        let scopes = new.scopes.unwrap_or_else(|| SCOPES.map(str::to_owned).to_vec());
        let provider = IdentityProvider {
            id,
            tenant: asked.caller.tenant,
            name: checked_name(&new.name)?,
            client_id: given("client_id", &new.client_id)?,
            secret: self.sealed(id, &given("client_secret", &new.client_secret)?),
            scopes: scopes_of(scopes)?,
            domains: domains_of(&new.domains)?,
            creates: made_role(asked, &new.creates)?,
            trusts_mfa: new.trusts_mfa,
            enabled: new.enabled,
            created: self.now(),
            issuer: new.issuer,
        };
        self.upstreams.look_up(&provider).await.map_err(|trouble| {
            Error::Invalid(format!("this provider cannot be used: {}", trouble.told()))
        })?;
        let mut event = self.event(asked, "identity_provider.create", id);
        event.detail = detail(&provider);
        kept(self.store.identity_providers.add(&provider, &event).await?)?;
        Ok(provider)
    }

    /// Changes a provider. Counts from the next sign-in on.
    pub async fn change_identity_provider(
        &self,
        asked: &Asked,
        id: IdentityProviderId,
        change: ProviderChange,
    ) -> Result<IdentityProvider, Error> {
        self.may_set_up(asked).await?;
        let before = self.store.identity_providers.get(asked.caller.tenant, id).await?;
        let mut provider = before.ok_or(Error::Missing("identity provider"))?;
        if let Some(name) = &change.name {
            provider.name = checked_name(name)?;
        }
        if let Some(secret) = &change.client_secret {
            provider.secret = self.sealed(id, &given("client_secret", secret)?);
        }
        if let Some(scopes) = change.scopes {
            provider.scopes = scopes_of(scopes)?;
        }
        if let Some(domains) = &change.domains {
            provider.domains = domains_of(domains)?;
        }
        if let Some(creates) = &change.creates {
            provider.creates = made_role(asked, creates)?;
        }
        provider.trusts_mfa = change.trusts_mfa.unwrap_or(provider.trusts_mfa);
        provider.enabled = change.enabled.unwrap_or(provider.enabled);
        let mut event = self.event(asked, "identity_provider.change", id);
        let secret = if change.client_secret.is_some() { ", another secret" } else { "" };
        event.detail = format!("{}{secret}", detail(&provider));
        kept(self.store.identity_providers.change(&provider, &event).await?)?;
        Ok(provider)
    }

    /// Removes a provider, and forgets whom it knows. Sessions that were begun there stay.
    pub async fn remove_identity_provider(
        &self,
        asked: &Asked,
        id: IdentityProviderId,
    ) -> Result<(), Error> {
        self.may_set_up(asked).await?;
        let event = self.event(asked, "identity_provider.remove", id);
        let providers = &self.store.identity_providers;
        if !providers.remove(asked.caller.tenant, id, &event).await? {
            return Err(Error::Missing("identity provider"));
        }
        self.upstreams.forget(id);
        Ok(())
    }

    async fn may_set_up(&self, asked: &Asked) -> Result<(), Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        need_held(&asked.caller, Role::Owner, &Place::ROOT)?;
        self.fresh(asked).await
    }

    fn sealed(&self, id: IdentityProviderId, secret: &str) -> Vec<u8> {
        self.provider_secrets.seal(&place(id), secret.as_bytes())
    }

    fn opened_secret(&self, provider: &IdentityProvider) -> Result<String, Error> {
        let secret = self.provider_secrets.open(&place(provider.id), &provider.secret);
        let secret = secret.map_err(|error| Error::Damaged(Box::new(error)))?;
        String::from_utf8(secret).map_err(|error| Error::Damaged(Box::new(error)))
    }
}

/// What the sealed secret of a provider belongs to.
fn place(id: IdentityProviderId) -> String {
    format!("identity provider {id}")
}

fn kept(it: ProviderKept) -> Result<(), Error> {
    match it {
        ProviderKept::Done => Ok(()),
        ProviderKept::Missing => Err(Error::Missing("identity provider")),
        ProviderKept::Taken => Err(Error::ProviderTaken),
        ProviderKept::TooMany => {
            let most = IdentityProvider::MOST;
            Err(Error::Invalid(format!("there are {most} identity providers; remove one first")))
        }
    }
}

/// What a provider has given the platform, as it was given.
fn given(field: &str, text: &str) -> Result<String, Error> {
    let plain = text.chars().all(|it| it.is_ascii() && !it.is_ascii_control());
    if text.is_empty() || text.len() > GIVEN_MAX || !plain {
        let wrong = format!("`{field}` must have 1 to {GIVEN_MAX} plain characters");
        return Err(Error::Invalid(wrong));
    }
    Ok(text.to_owned())
}

fn words(field: &str, words: &[String], fits: impl Fn(&str) -> bool) -> Result<(), Error> {
    let good = |word: &String| !word.is_empty() && word.len() <= WORD_MAX && fits(word);
    if words.len() > WORDS || !words.iter().all(good) {
        return Err(Error::Invalid(format!("`{field}` has what is none, or too many")));
    }
    Ok(())
}

/// RFC 6749, 3.3.
fn scopes_of(scopes: Vec<String>) -> Result<Vec<String>, Error> {
    let plain = |it: char| it.is_ascii_graphic() && it != '"' && it != '\\';
    words("scopes", &scopes, |word| word.chars().all(plain))?;
    if !scopes.iter().any(|it| it == "openid") {
        return Err(Error::Invalid("`scopes` must have openid".to_owned()));
    }
    Ok(scopes)
}

/// Domains as they are compared: lower case, in their ASCII form.
fn domains_of(domains: &[String]) -> Result<Vec<String>, Error> {
    let domains: Vec<String> = domains.iter().map(|it| it.trim().to_lowercase()).collect();
    let plain = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '.';
    words("allowed_domains", &domains, |word| {
        word.contains('.') && word.chars().all(plain) && !word.starts_with('.')
    })?;
    Ok(domains)
}

/// The role of people who are made: none that the caller does not hold, and never an owner.
fn made_role(asked: &Asked, text: &str) -> Result<Option<Role>, Error> {
    if text == NOBODY {
        return Ok(None);
    }
    let wrong = || format!("`creates_people` is {NOBODY:?} or a role, and never owner");
    let role: Role = text.parse().map_err(|_| Error::Invalid(wrong()))?;
    if role == Role::Owner {
        return Err(Error::Invalid(wrong()));
    }
    need_held(&asked.caller, role, &Place::ROOT)?;
    Ok(Some(role))
}

fn detail(provider: &IdentityProvider) -> String {
    let made = provider.creates.map_or(NOBODY, Role::as_str);
    let (on, mfa) = (provider.enabled, provider.trusts_mfa);
    let domains = provider.domains.join(" ");
    let issuer = &provider.issuer;
    format!("{issuer}: enabled {on}, makes {made}, trusts mfa {mfa}, domains {domains:?}")
}
