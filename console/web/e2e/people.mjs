/** Signing in, and who may what. */
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { look, openPage } from './browser.mjs';
import { goTo } from './devices.mjs';
import { check } from './report.mjs';

export const ANN = { email: 'ann@example.org', password: 'correct horse battery staple' };
const BOB = { email: 'bob@example.org', password: 'another horse battery staple' };
const BOB_LATER = { ...BOB, password: 'yet another horse battery' };

const secret = (page) => page.locator('input[type=password]');
const heading = (page, name) => page.getByRole('heading', { name, level: 1 }).waitFor();

async function claim(page, link, name) {
  await page.goto(link);
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('E-mail').fill(ANN.email);
  await secret(page).fill(ANN.password);
}

export async function setUp({ page, shots, link, device }) {
  await claim(page, link, 'Ann');
  await look(page, shots, 'setup');
  await page.getByRole('button', { name: 'Create the owner' }).click();
  await heading(page, 'Overview');
  check('the set-up link signs in', (await page.title()) === 'Overview · OpenFrame');
  await page
    .getByRole('listitem')
    .filter({ hasText: /^1\s*device/ })
    .waitFor();
  await page.getByText('Live', { exact: true }).waitFor();
  check(`${device} is counted`, true);
}

export async function signIn(page, { email, password }) {
  await heading(page, 'Sign in');
  await page.getByLabel('E-mail').fill(email);
  await secret(page).fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

export async function signOutAndIn({ page, origin, shots, link }) {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await heading(page, 'Sign in');
  await look(page, shots, 'sign-in');
  await signIn(page, { ...ANN, password: 'wrong wrong wrong' });
  await page.getByRole('alert').waitFor();
  await signIn(page, ANN);
  await heading(page, 'Overview');
  check('the password signs in', true);
  await claim(page, link, 'Eve');
  await page.getByRole('button', { name: 'Create the owner' }).click();
  await page.getByRole('alert').waitFor();
  check('the set-up link works once', true);
  await page.goto(origin);
}

/** The status of an answer to a program. */
const answered = (url, options) =>
  new Promise((resolve, reject) => {
    const request = https.get(url, { ...options, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    request.on('error', reject);
  });

export const agree = async (page, button, verb) => {
  await page.getByRole('button', { name: button, exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: verb, exact: true }).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
};

/** A person is added, signs in, is signed out by the owner, comes back, and is shut out. */
export async function person({ page, browser, origin, shots }) {
  await goTo(page, 'Access');
  const form = page.getByRole('form', { name: 'New person' });
  await form.getByLabel('Name').fill('Bob');
  await form.getByLabel('E-mail').fill(BOB.email);
  await form.locator('input[type=password]').fill(BOB.password);
  await form.getByRole('button', { name: 'Add the person' }).click();
  await page.getByRole('table', { name: 'People' }).getByText(BOB.email).waitFor();
  const bob = await openPage(browser, 'Bob');
  await bob.goto(`${origin}/devices`);
  await signIn(bob, BOB);
  await heading(bob, 'Devices');
  check('one comes back to the page that asked to sign in', true);
  await agree(page, `End session of ${BOB.email} at 127.0.0.1`, 'End');
  await heading(bob, 'Sign in');
  check('whose session is ended is at once at the sign-in page', true);
  await signIn(bob, BOB);
  await heading(bob, 'Devices');
  await goTo(bob, 'Access');
  const own = bob.getByRole('form', { name: 'Change of password' });
  await secret(own).nth(0).fill(BOB.password);
  await secret(own).nth(1).fill(BOB_LATER.password);
  await own.getByRole('button', { name: 'Change the password' }).click();
  await own.getByText('The password is changed.').waitFor();
  await bob.reload();
  await heading(bob, 'Access');
  check('a password can be changed, and one stays signed in', true);
  await page.getByRole('button', { name: `New password link for ${BOB.email}` }).click();
  await bob.goto(await page.getByLabel('The new password link').innerText());
  await secret(bob).fill(BOB_LATER.password);
  await look(bob, shots, 'password');
  await bob.getByRole('button', { name: 'Set the password and sign in' }).click();
  await heading(bob, 'Overview');
  check('a link lets its person choose a password', true);
  await page.getByLabel(`Role of ${BOB.email}`).selectOption('read_only');
  await agree(page, `Change role of ${BOB.email}`, 'Change role');
  await bob.reload();
  await bob.getByText('read only', { exact: true }).waitFor();
  check('a role can be changed', true);
  await agree(page, `Disable ${BOB.email}`, 'Disable');
  await heading(bob, 'Sign in');
  await signIn(bob, BOB_LATER);
  await bob.getByRole('alert').waitFor();
  check('who is disabled cannot sign in', true);
  await bob.context().close();
}

/** A key is made with one scope, may just that, and is nothing once revoked. */
export async function key({ page, origin, root, shots }) {
  await goTo(page, 'Access');
  await page.getByLabel('Key name').fill('e2e');
  await page.getByLabel('Days it is good for').fill('7');
  await page.getByRole('form', { name: 'New key' }).getByLabel('devices:read').check();
  await page.getByRole('button', { name: 'Make a key' }).click();
  const text = await page.getByLabel('The new key').innerText();
  const row = page.getByRole('table', { name: 'API keys' }).getByRole('row');
  await row.filter({ hasText: 'e2e' }).getByText('in 6 d').waitFor();
  const headers = { authorization: `Bearer ${text.trim()}` };
  const status = (path) => answered(new URL(path, origin), { ca: readFileSync(root), headers });
  const may = await status('/api/devices/v1/devices');
  const mayNot = await status('/api/auth/v1/audit');
  check(
    `a key may what was chosen (${may}) and no more (${mayNot})`,
    may === 200 && mayNot === 403,
  );
  await look(page, shots, 'access');
  await agree(page, 'Revoke key e2e', 'Revoke');
  check('a revoked key is refused', (await status('/api/devices/v1/devices')) === 401);
  await agree(page, 'Revoke token second', 'Revoke').catch(() => undefined);
}

export async function colours({ page }) {
  const scheme = (name) => page.locator(`html[data-mantine-color-scheme=${name}]`).waitFor();
  await page.getByLabel('Colours').selectOption('dark');
  await scheme('dark');
  await page.reload();
  await scheme('dark');
  await page.getByLabel('Colours').selectOption('auto');
  await scheme('light');
  check('the colours are chosen and kept', true);
}

export async function audit({ page, shots }) {
  await goTo(page, 'Audit');
  await page.getByText('command.create').first().waitFor();
  await page.getByRole('button', { name: 'Verify the trail' }).click();
  await page.getByText('unbroken').waitFor();
  await page.getByLabel('What', { exact: true }).fill('user.');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await page.getByText('user.create').first().waitFor();
  await page.getByText('command.create').first().waitFor({ state: 'detached' });
  check('the audit trail is whole and can be searched', true);
  await look(page, shots, 'audit');
}

export async function health({ page, shots }) {
  await goTo(page, 'Platform');
  await page.getByText('monitoring.telemetry_log').waitFor();
  await look(page, shots, 'health');
}
