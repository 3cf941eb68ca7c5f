//! Which programs may ask for access, and what each person has allowed.

use std::collections::BTreeSet;

use openframe_ids::ClientId;
use openframe_oauth::{Client, ClientKeys, Demand, GrantType, Pkce, RedirectUri, Scopes, scope};
use openframe_tokens::Permission;
use openframe_tokens::opaque::{Purpose, mint};
use openframe_webhook::address;
use serde_json::Value;

use crate::Error;
use crate::app::people::checked_name;
use crate::app::{Asked, Auth, need, need_whole, whole};
use crate::domain::Consent;

/// Addresses of one kind that a client has at most.
const ADDRESSES: usize = 16;
/// Clients of a tenant at most.
const CLIENTS: usize = 1000;

/// A client to register.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// What people are shown.
    pub name: String,
    /// Where browsers may be sent back to; none for a client that only acts for itself.
    pub redirect_uris: Vec<String>,
    /// Where browsers may be sent after a logout.
    pub post_logout_redirect_uris: Vec<String>,
    /// Where it is told that a session has ended, if it wants to be.
    pub backchannel_logout_uri: Option<String>,
    /// What it may be given at most.
    pub scopes: Vec<String>,
    /// How else it may come to tokens: only [`GrantType::DeviceCode`].
    pub more_grants: Vec<String>,
    /// The keys that it signs with to show who it is, in the place of a secret: a set of keys (RFC 7517).
    pub jwks: Option<Value>,
    /// What it has to do that others may leave: the words of [`Demand`].
    pub demands: Vec<String>,
    /// Whether it cannot keep a secret.
    pub public: bool,
    /// Whether it may act for itself.
    pub own_behalf: bool,
    /// Whether it need not prove that who shows a code is who asked for it.
    pub waive_pkce: bool,
}

/// A client just registered.
#[derive(Debug)]
pub struct MadeClient {
    /// The client.
    pub client: Client,
    /// Its secret, if it can keep one: the only time it is seen.
    pub secret: Option<String>,
}

impl Auth {
    /// Every client.
    pub async fn clients(&self, asked: &Asked) -> Result<Vec<Client>, Error> {
        need(&asked.caller, Permission::UsersManage)?;
        Ok(self.store.clients.list(asked.caller.tenant).await?)
    }

    /// Registers a client.
    pub async fn create_client(&self, asked: &Asked, new: NewClient) -> Result<MadeClient, Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        if self.store.clients.list(asked.caller.tenant).await?.len() >= CLIENTS {
            return Err(Error::Invalid(format!("there are {CLIENTS} clients; remove one first")));
        }
        let id = ClientId::new();
        let keys = keys(&new)?;
        let without = new.public || keys.is_some();
        let secret = (!without).then(|| mint(Purpose::ClientSecret, id.0));
        let client = Client {
            id,
            tenant: asked.caller.tenant,
            name: checked_name(&new.name)?,
            secret: secret.as_ref().map(|secret| secret.hash),
            keys,
            demands: demands(&new.demands)?,
            grants: grants(&new)?,
            redirect_uris: addresses(&new.redirect_uris)?,
            post_logout_uris: addresses(&new.post_logout_redirect_uris)?,
            backchannel_logout_uri: told_at(new.backchannel_logout_uri.as_deref())?,
            scopes: scopes(asked, &new.scopes)?,
            pkce: if new.waive_pkce { Pkce::Waived } else { Pkce::Required },
            created: self.now(),
        };
        let mut event = self.event(asked, "client.create", id);
        event.detail = detail(&client);
        self.store.clients.add(&client, &event).await?;
        Ok(MadeClient { client, secret: secret.map(|secret| secret.text) })
    }

    /// Removes a client, and with it every token that it has.
    pub async fn remove_client(&self, asked: &Asked, id: ClientId) -> Result<(), Error> {
        need_whole(&asked.caller, Permission::UsersManage)?;
        self.fresh(asked).await?;
        let event = self.event(asked, "client.remove", id);
        let done = self.store.clients.remove(asked.caller.tenant, id, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("client")) }
    }

    /// What the caller has allowed, with the name of each client.
    pub async fn consents(&self, asked: &Asked) -> Result<Vec<(Consent, String)>, Error> {
        let (user, tenant) = (whole(&asked.caller)?, asked.caller.tenant);
        let clients = self.store.clients.list(tenant).await?;
        let consents = self.store.families.consents(tenant, user).await?;
        let named = |consent: Consent| {
            let name = clients.iter().find(|client| client.id == consent.client)?.name.clone();
            Some((consent, name))
        };
        Ok(consents.into_iter().filter_map(named).collect())
    }

    /// Takes back what the caller has allowed a client.
    pub async fn withdraw(&self, asked: &Asked, client: ClientId) -> Result<(), Error> {
        let (user, tenant) = (whole(&asked.caller)?, asked.caller.tenant);
        let event = self.event(asked, "consent.withdraw", client);
        let done = self.store.families.withdraw(tenant, user, client, &event).await?;
        if done { Ok(()) } else { Err(Error::Missing("consent")) }
    }
}

fn grants(new: &NewClient) -> Result<BTreeSet<GrantType>, Error> {
    let invalid = |why: &str| Err(Error::Invalid(why.to_owned()));
    if new.public && (new.own_behalf || new.waive_pkce) {
        return invalid("a client without a secret acts for people only, and always with PKCE");
    }
    let mut grants = BTreeSet::new();
    if new.own_behalf {
        grants.insert(GrantType::ClientCredentials);
    }
    if !new.redirect_uris.is_empty() {
        grants.extend([GrantType::AuthorizationCode, GrantType::RefreshToken]);
    }
    for word in &new.more_grants {
        match GrantType::read(word) {
            Some(GrantType::DeviceCode) => {
                grants.extend([GrantType::DeviceCode, GrantType::RefreshToken]);
            }
            Some(_) => return invalid("this grant follows from the client's other fields"),
            None => return invalid("there is no such grant"),
        }
    }
    if grants.is_empty() {
        return invalid(
            "say where browsers are sent back to, or that the client acts for itself, or the grant",
        );
    }
    Ok(grants)
}

fn keys(new: &NewClient) -> Result<Option<ClientKeys>, Error> {
    let Some(set) = &new.jwks else { return Ok(None) };
    if new.public {
        let both = "a client with keys can show who it is: it is not a public one";
        return Err(Error::Invalid(both.to_owned()));
    }
    ClientKeys::register(set).map(Some).map_err(|why| Error::Invalid(format!("`jwks`: {why}")))
}

fn demands(words: &[String]) -> Result<BTreeSet<Demand>, Error> {
    let read = |word: &String| {
        Demand::read(word).ok_or_else(|| Error::Invalid(format!("{word:?} is no demand")))
    };
    words.iter().map(read).collect()
}

fn addresses(texts: &[String]) -> Result<Vec<RedirectUri>, Error> {
    if texts.len() > ADDRESSES {
        return Err(Error::Invalid(format!(
            "a client has {ADDRESSES} addresses of a kind at most"
        )));
    }
    let register = |text: &String| {
        RedirectUri::register(text)
            .map_err(|why| Error::Invalid(format!("{text:?} cannot be registered: {why}")))
    };
    texts.iter().map(register).collect()
}

/// Where a client is told of logouts (Back-Channel Logout, 2.2): by HTTPS, or on this machine.
fn told_at(text: Option<&str>) -> Result<Option<String>, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let url = address("backchannel_logout_uri", text).map_err(Error::Invalid)?;
    if url.fragment().is_some() {
        let fragment = "`backchannel_logout_uri` must have no fragment (#)";
        return Err(Error::Invalid(fragment.to_owned()));
    }
    Ok(Some(text.to_owned()))
}

/// Scopes about people, and permissions that whoever registers the client has.
fn scopes(asked: &Asked, words: &[String]) -> Result<Scopes, Error> {
    for word in words.iter().filter(|word| !scope::PERSONAL.contains(&word.as_str())) {
        let permission: Permission =
            word.parse().map_err(|_| Error::Invalid(format!("{word:?} is no scope")))?;
        need(&asked.caller, permission)?;
    }
    let scopes = Scopes::read(&words.join(" "));
    let scopes = scopes.map_err(|refusal| Error::Invalid(refusal.description.to_owned()))?;
    if scopes.is_empty() {
        return Err(Error::Invalid("a client needs at least one scope".to_owned()));
    }
    Ok(scopes)
}

fn detail(client: &Client) -> String {
    let kind = if client.is_confidential() { "confidential" } else { "public" };
    let keys = if client.keys.is_some() { ", by keys" } else { "" };
    let waived = if client.pkce == Pkce::Waived { ", without PKCE" } else { "" };
    format!("{kind}{keys}{waived}: {}", client.scopes)
}
