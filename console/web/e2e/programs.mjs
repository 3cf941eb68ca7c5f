/** Another program signs a person in with OpenFrame, and acts for that person. */
import { spawn } from 'node:child_process';
import { webcrypto as crypto } from 'node:crypto';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { look, openPage } from './browser.mjs';
import { goTo } from './devices.mjs';
import { ANN, agree, signIn } from './people.mjs';
import { freePort, stop } from './platform.mjs';
import { check } from './report.mjs';

const here = path.dirname(new URL(import.meta.url).pathname);

/** Registers a program on the console, with a key if it has one; what it is given. */
async function register(page, [name, port], key) {
  await goTo(page, 'Access');
  const form = page.getByRole('form', { name: 'New program' });
  await form.getByLabel('Name that people are shown').fill(name);
  await form.getByLabel('Addresses it goes back to').fill(`http://127.0.0.1:${port}/cb`);
  for (const scope of ['email', 'offline_access', 'devices:read']) {
    await form.getByLabel(scope, { exact: true }).check();
  }
  if (key) {
    await form.getByLabel('Keys that it signs with').fill(JSON.stringify({ keys: [key] }));
    await form.getByLabel('It sends its requests ahead of the browser').check();
    await form.getByLabel('Its tokens are of use to who holds its key only').check();
  }
  await form.getByRole('button', { name: 'Register the program' }).click();
  const given = await form
    .getByLabel('The new program')
    .filter({ hasText: 'client_id' })
    .textContent();
  const value = (name) => given.match(new RegExp(`^${name} (\\S+)$`, 'm'))?.[1] ?? '';
  return [value('issuer'), value('client_id'), value('client_secret')];
}

async function started(given, port, root, more = {}) {
  const program = spawn('node', [path.join(here, 'relying-party.mjs'), ...given, String(port)], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: root, ...more },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve, reject) => {
    createInterface({ input: program.stdout }).on('line', resolve);
    program.on('exit', (code) => reject(new Error(`the program ended (${code})`)));
  });
  return program;
}

// B02.openid-client, B10.key
/** A program with a key: it shows who it is by it, pushes its requests, and binds its tokens. */
export async function boundProgram({ page, browser, root }) {
  const port = await freePort();
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const pair = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const [open, own] = await Promise.all(
    [pair.publicKey, pair.privateKey].map((key) => crypto.subtle.exportKey('jwk', key)),
  );
  const given = await register(page, ['Vault', port], {
    kty: open.kty,
    crv: open.crv,
    x: open.x,
    y: open.y,
  });
  check('a program with a key gets no secret', given[2] === '');
  const vault = await started(given, port, root, { KEY: JSON.stringify(own) });
  try {
    const ann = await openPage(browser, 'Ann at the vault');
    await ann.goto(`http://127.0.0.1:${port}/`);
    await signIn(ann, ANN);
    await ann.getByRole('button', { name: 'Allow', exact: true }).click();
    await ann.getByText(`hello ${ANN.email}, active true`).waitFor();
    check('openid-client signs a person in by a key, a pushed request and a bound token', true);
    await ann.goto(`http://127.0.0.1:${port}/devices`);
    await ann.getByText('devices 200, dpop').waitFor();
    await ann.goto(`http://127.0.0.1:${port}/refresh`);
    await ann.getByText('refreshed, devices:read email offline_access openid').waitFor();
    check('and uses and refreshes it', true);
    await ann.context().close();
  } finally {
    await stop(vault);
  }
}

// B01, B02.openid-client, B11.consent
/** A person comes from a program, signs in, lets it in, and takes that back. */
export async function program({ page, browser, root, shots }) {
  const port = await freePort();
  const wiki = await started(await register(page, ['Wiki', port]), port, root);
  try {
    const ann = await openPage(browser, 'Ann at the wiki');
    await ann.goto(`http://127.0.0.1:${port}/`);
    await signIn(ann, ANN);
    await ann.getByRole('heading', { name: 'Allow Wiki access?' }).waitFor();
    await look(ann, shots, 'consent');
    await ann.getByRole('button', { name: 'Do not allow' }).click();
    await ann.getByText('refused: access_denied').waitFor();
    check('who does not allow it goes back with a no', true);
    await ann.goto(`http://127.0.0.1:${port}/`);
    await ann.getByRole('button', { name: 'Allow', exact: true }).click();
    await ann.getByText(`hello ${ANN.email}, active true`).waitFor();
    check('openid-client signs a person in', true);
    await ann.goto(`http://127.0.0.1:${port}/`);
    await ann.getByText(`hello ${ANN.email}, active true`).waitFor();
    check('who has allowed it is not asked again', true);
    await ann.goto(`http://127.0.0.1:${port}/refresh`);
    await ann.getByText('refreshed, devices:read email offline_access openid').waitFor();
    check('openid-client refreshes', true);
    await goTo(page, 'Access');
    await page.reload();
    await page.getByRole('table', { name: 'Programs I have let in' }).getByText('Wiki').waitFor();
    await agree(page, 'Take back what Wiki may', 'Take back');
    await ann.goto(`http://127.0.0.1:${port}/refresh`);
    await ann.getByText('refused: invalid_grant').waitFor();
    check('what was taken back is over', true);
    await ann.context().close();
  } finally {
    await stop(wiki);
  }
}
