/**
 * A program that signs people in with OpenFrame: openid-client, which knows nothing of OpenFrame but
 * the address. `node relying-party.mjs ISSUER CLIENT_ID CLIENT_SECRET PORT`, with the platform's root
 * certificate in NODE_EXTRA_CA_CERTS. With a private key in KEY (JWK, P-256) it shows who it is by that
 * key, pushes its requests, and binds its tokens.
 */
import { webcrypto as crypto } from 'node:crypto';
import { createServer } from 'node:http';
import * as oidc from 'openid-client';

const [issuer, id, secret, port] = process.argv.slice(2);
const here = `http://127.0.0.1:${port}`;
const redirect_uri = `${here}/cb`;
const strict = 'KEY' in process.env;
const config = await oidc.discovery(
  new URL(issuer),
  id,
  secret,
  strict ? await byKey() : undefined,
);
const bound = strict
  ? { DPoP: oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256')) }
  : {};
let expected, tokens;

async function byKey() {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const key = JSON.parse(process.env.KEY);
  return oidc.PrivateKeyJwt(await crypto.subtle.importKey('jwk', key, algorithm, false, ['sign']));
}

async function begin() {
  const verifier = oidc.randomPKCECodeVerifier();
  expected = {
    pkceCodeVerifier: verifier,
    expectedState: oidc.randomState(),
    expectedNonce: oidc.randomNonce(),
    idTokenExpected: true,
  };
  const url = strict ? oidc.buildAuthorizationUrlWithPAR : oidc.buildAuthorizationUrl;
  const request = {
    redirect_uri,
    scope: 'openid email offline_access devices:read',
    state: expected.expectedState,
    nonce: expected.expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  return (await url(config, request, bound)).href;
}

async function callback(url) {
  tokens = await oidc.authorizationCodeGrant(config, url, expected, undefined, bound);
  const { sub } = tokens.claims();
  const who = await oidc.fetchUserInfo(config, tokens.access_token, sub, bound);
  const worth = await oidc.tokenIntrospection(config, tokens.access_token);
  return `hello ${who.email}, active ${worth.active}`;
}

/** What the platform's own API says to the token. */
async function devices() {
  const url = new URL('/api/devices/v1/devices', issuer);
  const { access_token } = tokens;
  const answer = await oidc.fetchProtectedResource(
    config,
    access_token,
    url,
    'GET',
    null,
    undefined,
    bound,
  );
  return `devices ${answer.status}, ${tokens.token_type}`;
}

async function refresh() {
  tokens = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, bound);
  return `refreshed, ${tokens.scope}`;
}

const pages = { '/cb': callback, '/refresh': refresh, '/devices': devices };

createServer(async (request, response) => {
  const url = new URL(request.url, here);
  try {
    if (url.pathname === '/') {
      response.writeHead(303, { location: await begin() }).end();
    } else if (url.pathname in pages) {
      const said = await pages[url.pathname](url);
      response.writeHead(200, { 'content-type': 'text/plain' }).end(said);
    } else {
      response.writeHead(404).end();
    }
  } catch (error) {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.end(`refused: ${error.error ?? error.code ?? error}`);
  }
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
