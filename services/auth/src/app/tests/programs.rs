//! Programs that ask for access, as far as the service decides: who they are, whose tokens they see.

use openframe_oauth::Code;

use super::*;
use crate::app::{Answered, MadeClient, NewClient, OAuthError, Sent};

const REDIRECT: &str = "https://app.example.org/cb";
/// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn new(name: &str) -> NewClient {
    NewClient {
        name: name.to_owned(),
        redirect_uris: vec![REDIRECT.to_owned()],
        post_logout_redirect_uris: Vec::new(),
        backchannel_logout_uri: None,
        more_grants: Vec::new(),
        jwks: None,
        demands: Vec::new(),
        scopes: ["openid", "offline_access", "devices:read"].map(str::to_owned).to_vec(),
        public: false,
        own_behalf: false,
        waive_pkce: false,
    }
}

impl World {
    async fn program(&self, owner: &Asked, name: &str) -> MadeClient {
        self.app.create_client(owner, new(name)).await.unwrap()
    }

    /// A code that the owner of this session has allowed.
    async fn allowed_code(&self, made: &MadeClient, (cookie, scope): (&str, &str)) -> String {
        let query = query(made, scope);
        let (query, origin) = (query.as_bytes(), Origin::default());
        let asked = self.app.authorize(query, Some(cookie), &origin).await.unwrap();
        let answered = match asked {
            Answered::Consent(asked) => {
                let forged = self.app.consent((query, true), "forged", Some(cookie), &origin).await;
                assert!(matches!(forged.unwrap(), Answered::Refused(_)), "of another page");
                let csrf = asked.csrf_token;
                self.app.consent((query, true), &csrf, Some(cookie), &origin).await.unwrap()
            }
            other @ (Answered::Redirect(_) | Answered::SignIn(_) | Answered::Refused(_)) => other,
        };
        let Answered::Redirect(to) = answered else { panic!("{answered:?}") };
        to.split_once("code=").unwrap().1.split('&').next().unwrap().to_owned()
    }

    async fn tokens(&self, made: &MadeClient, form: &str) -> Result<super::super::Tokens, Code> {
        let tokens = self.app.tokens(&sent(&format!("{form}&{}", shown(made)))).await;
        tokens.map_err(|error| error.refusal().code)
    }

    async fn exchange(&self, made: &MadeClient, code: &str) -> Result<super::super::Tokens, Code> {
        let form = format!("grant_type=authorization_code&code={code}&code_verifier={VERIFIER}");
        self.tokens(made, &format!("{form}&redirect_uri={REDIRECT}")).await
    }

    async fn is_good(&self, access: &str) -> bool {
        let secret = Secret::AccessToken(access.to_owned());
        self.app.resolve(&gateway(self.tenant), &secret, "").await.is_ok()
    }
}

fn sent(form: &str) -> Sent {
    Sent { body: form.to_owned().into(), ..Sent::default() }
}

fn query(made: &MadeClient, scope: &str) -> String {
    format!(
        "response_type=code&client_id={}&redirect_uri={REDIRECT}&scope={scope}\
         &code_challenge={CHALLENGE}&code_challenge_method=S256",
        made.client.id
    )
}

fn shown(made: &MadeClient) -> String {
    let secret = made.secret.as_ref().map(|secret| format!("&client_secret={secret}"));
    format!("client_id={}{}", made.client.id, secret.unwrap_or_default())
}

// ASVS 10.4.2, 10.4.10, 16.3.1
// B05.again, B05.client, B36.programs
#[tokio::test]
async fn a_code_is_good_once_for_the_program_that_shows_its_secret() {
    let world = world();
    let ann = world.owner().await;
    let owner = world.resolve(&ann.secret).await.unwrap();
    let (app, other) = (world.program(&owner, "app").await, world.program(&owner, "other").await);
    let code = world.allowed_code(&app, (&ann.secret, "openid+offline_access+devices:read")).await;
    let thief = MadeClient { secret: other.secret.clone(), client: app.client.clone() };
    assert_eq!(world.exchange(&thief, &code).await.unwrap_err(), Code::InvalidClient);
    let nobody = MadeClient { secret: None, client: app.client.clone() };
    assert_eq!(world.exchange(&nobody, &code).await.unwrap_err(), Code::InvalidClient);
    assert_eq!(world.exchange(&other, &code).await.unwrap_err(), Code::InvalidGrant);
    let tokens = world.exchange(&app, &code).await.unwrap();
    assert!(tokens.id_token.is_some() && world.is_good(&tokens.issued.access).await);
    assert_eq!(world.exchange(&app, &code).await.unwrap_err(), Code::InvalidGrant);
    assert!(!world.is_good(&tokens.issued.access).await, "the tokens of the first use are dead");
    let (trail, _) = world.app.audit(&owner, Filter::default(), None, None).await.unwrap();
    let has = |action: &str| trail.iter().any(|it| it.event.action == action);
    assert!(has("token.open") && has("token.code_replay") && has("client.authenticate"));
}

// B14.client
#[tokio::test]
async fn a_program_sees_and_ends_its_own_tokens_only() {
    let world = world();
    let ann = world.owner().await;
    let owner = world.resolve(&ann.secret).await.unwrap();
    let (app, other) = (world.program(&owner, "app").await, world.program(&owner, "other").await);
    let public = NewClient { public: true, ..new("public") };
    let public = world.app.create_client(&owner, public).await.unwrap();
    let code = world.allowed_code(&app, (&ann.secret, "openid+devices:read")).await;
    let access = world.exchange(&app, &code).await.unwrap().issued.access;
    let asked = |made: &MadeClient| sent(&format!("token={access}&{}", shown(made)));
    let own = world.app.introspect(&asked(&app)).await.unwrap().unwrap();
    assert_eq!((own.client, own.user), (app.client.id, Some(ann.user.id)));
    assert!(world.app.introspect(&asked(&other)).await.unwrap().is_none());
    let refused = world.app.introspect(&asked(&public)).await;
    assert!(matches!(refused, Err(OAuthError::Refused(_))), "it cannot show who it is");
    world.app.revoke(&asked(&other)).await.unwrap();
    assert!(world.is_good(&access).await);
    world.app.revoke(&asked(&app)).await.unwrap();
    assert!(!world.is_good(&access).await);
}

// B16.scope
#[tokio::test]
async fn a_token_says_who_somebody_is_where_it_was_asked_for() {
    let world = world();
    let ann = world.owner().await;
    let owner = world.resolve(&ann.secret).await.unwrap();
    let app = world.program(&owner, "app").await;
    for (scope, told) in [("devices:read", false), ("openid+devices:read", true)] {
        let code = world.allowed_code(&app, (&ann.secret, scope)).await;
        let access = world.exchange(&app, &code).await.unwrap().issued.access;
        let who =
            world.app.user_info(Some(&format!("Bearer {access}")), None, &Origin::default()).await;
        assert_eq!(who.is_ok(), told, "{scope}");
    }
}

// ASVS 10.4.4, 10.4.11
#[tokio::test]
async fn programs_are_registered_by_whoever_manages_people_and_never_without_proof() {
    let world = world();
    let owner = world.resolve(&world.owner().await.secret).await.unwrap();
    let bob = person("bob@example.org", Role::Technician);
    world.app.create_user(&owner, bob).await.unwrap();
    let bob = world.log_in("bob@example.org", "a good long one").await.unwrap();
    let bob = world.resolve(&bob.secret).await.unwrap();
    let refused = world.app.create_client(&bob, new("app")).await;
    assert!(matches!(refused, Err(Error::NotPermitted(_))));
    for bad in [
        NewClient { public: true, waive_pkce: true, ..new("app") },
        NewClient { public: true, own_behalf: true, ..new("app") },
        NewClient { scopes: vec!["all".to_owned()], ..new("app") },
        NewClient { redirect_uris: vec!["http://app.example.org".to_owned()], ..new("app") },
    ] {
        let refused = world.app.create_client(&owner, bad.clone()).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{bad:?}");
    }
}
