"""A program of Authlib, and the browser it sends: signs a person in, acts for them, and says each step.

Called with issuer, client id, client secret, e-mail, password and the address of an API.
"""

import os
import sys
from html.parser import HTMLParser
from urllib.parse import urljoin

# The platform under test has no certificate.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oauth2.rfc8414 import get_well_known_url
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata

REDIRECT = "https://app.example.org/cb"


class Form(HTMLParser):
    """The first form of a page: where it goes and what it sends by itself."""

    def __init__(self, page):
        super().__init__()
        self.action, self.sends = None, {}
        self.open = False
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.action is None:
            self.action, self.open = attributes["action"], True
        if tag == "input" and self.open and attributes.get("type") == "hidden":
            self.sends[attributes["name"]] = attributes["value"]

    def handle_endtag(self, tag):
        self.open = self.open and tag != "form"


class Browser(requests.Session):
    """Sends cookies that are marked as secure to this machine without TLS as well, as browsers do."""

    def request(self, *args, **named):
        for cookie in self.cookies:
            cookie.secure = False
        return super().request(*args, **named)


def answers(browser, page, typed):
    """What the browser gets for the first form of a page, redirects not followed."""
    form = Form(page.text)
    to = urljoin(page.url, form.action)
    return browser.post(to, data={**form.sends, **typed}, allow_redirects=False)


def back_at_program(asked, email, password):
    """A person signs in and allows what is asked; the address that the browser is sent back to."""
    browser = Browser()
    page = browser.get(asked)
    signed_in = answers(browser, page, {"email": email, "password": password})
    page = browser.get(urljoin(page.url, signed_in.headers["location"]))
    return answers(browser, page, {"answer": "allow"}).headers["location"]


def claims(token, metadata, client, nonce):
    """What an ID token says, checked as OpenID Connect demands."""
    keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"]).json())
    known = metadata["id_token_signing_alg_values_supported"]
    expected = {
        "iss": {"essential": True, "value": metadata["issuer"]},
        "aud": {"essential": True, "value": client},
    }
    read = JsonWebToken(known).decode(
        token["id_token"],
        keys,
        claims_cls=CodeIDToken,
        claims_options=expected,
        claims_params={"nonce": nonce, "client_id": client, "access_token": token["access_token"]},
    )
    read.validate()
    return read


def main(issuer, client, secret, email, password, api):
    found = requests.get(get_well_known_url(issuer, external=True)).json()
    found_by_openid = requests.get(issuer + "/.well-known/openid-configuration").json()
    assert found == found_by_openid
    metadata = OpenIDProviderMetadata(found_by_openid)
    program = OAuth2Session(
        client,
        secret,
        scope="openid email offline_access devices:read",
        redirect_uri=REDIRECT,
        code_challenge_method="S256",
        token_endpoint=metadata["token_endpoint"],
        revocation_endpoint_auth_method="client_secret_basic",
    )
    verifier, nonce = generate_token(48), generate_token(20)
    asked, state = program.create_authorization_url(
        metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce
    )
    back = back_at_program(asked, email, password)
    token = program.fetch_token(
        authorization_response=back, state=state, code_verifier=verifier
    )
    who = claims(token, metadata, client, nonce)
    told = program.get(metadata["userinfo_endpoint"]).json()
    assert told["sub"] == who["sub"], (told, who)
    print("signed in", told["email"], flush=True)
    assert program.get(api).status_code == 200
    fresh = program.refresh_token(metadata["token_endpoint"])
    assert fresh["refresh_token"] != token["refresh_token"]
    assert program.get(api).status_code == 200
    worth = program.introspect_token(
        metadata["introspection_endpoint"], token=fresh["access_token"]
    ).json()
    assert worth["active"] and worth["client_id"] == client, worth
    print("refreshed", worth["scope"], flush=True)
    gone = program.revoke_token(metadata["revocation_endpoint"], token=fresh["refresh_token"])
    assert gone.status_code == 200, gone.text
    refused = requests.post(
        metadata["token_endpoint"],
        data={"grant_type": "refresh_token", "refresh_token": fresh["refresh_token"]},
        auth=(client, secret),
    )
    print("revoked", refused.status_code, refused.json()["error"], flush=True)


main(*sys.argv[1:])
