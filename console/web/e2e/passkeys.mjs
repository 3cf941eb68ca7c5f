/** Passkeys, shown by Chromium's own virtual authenticator: registered, used everywhere, lost. */
import { look, openPage } from './browser.mjs';
import { goTo } from './devices.mjs';
import { signIn } from './people.mjs';
import { check } from './report.mjs';

const DORA = { email: 'dora@example.org', password: 'a fourth horse battery staple' };

const heading = (page, name) => page.getByRole('heading', { name, level: 1 }).waitFor();
const press = (page, name) => page.getByRole('button', { name, exact: true }).click();
const signOut = async (page) => {
  await press(page, 'Sign out');
  await heading(page, 'Sign in');
};

/** An authenticator of the device itself, which has verified its person. */
async function authenticator(page) {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  return {
    verifies: (isUserVerified) =>
      session.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
  };
}

async function add(page) {
  await goTo(page, 'Access');
  const form = page.getByRole('form', { name: 'New person' });
  await form.getByLabel('Name').fill('Dora');
  await form.getByLabel('E-mail').fill(DORA.email);
  await form.locator('input[type=password]').fill(DORA.password);
  await form.getByRole('button', { name: 'Add the person' }).click();
  await page.getByRole('table', { name: 'People' }).getByText(DORA.email).waitFor();
}

async function register(dora, shots) {
  await dora.getByLabel('Name of the passkey').fill('laptop');
  await press(dora, 'Add a passkey');
  const codes = (await dora.getByLabel('The recovery codes').innerText()).trim().split('\n');
  check('the first passkey brings ten recovery codes', codes.length === 10);
  await dora.getByRole('table', { name: 'Passkeys' }).getByText('laptop').waitFor();
  await look(dora, shots, 'passkeys');
  await press(dora, 'I have kept them');
}

/** Makes the session look old once: the console asks then, and sends the request again. */
async function stepUp(dora) {
  let fresh = false;
  await dora.route('**/me/factors/recovery-codes', (route) => {
    if (fresh) return route.continue();
    fresh = true;
    const told = { code: 'step_up_needed', detail: 'show first that it is you' };
    return route.fulfill({ status: 403, json: told });
  });
  await press(dora, 'Make new recovery codes');
  await dora.getByRole('dialog').getByRole('button', { name: 'Make new' }).click();
  await press(dora, 'Use a passkey');
  await dora.getByLabel('The recovery codes').waitFor();
  check('a passkey makes the session fresh', true);
  await press(dora, 'I have kept them');
}

/** The page for programs: the one script that it may run shows the passkey. */
async function pageForPrograms(browser, origin, dora, shots) {
  await dora.goto(`${origin}/t/main/sign-in`);
  await dora.getByRole('button', { name: 'Sign in with a passkey' }).waitFor();
  await look(dora, shots, 'sign-in-passkey');
  await press(dora, 'Sign in with a passkey');
  await heading(dora, 'Overview');
  check('the page for programs takes a passkey', true);
  const context = await browser.newContext({ javaScriptEnabled: false });
  const plain = await context.newPage();
  await plain.goto(`${origin}/t/main/sign-in`);
  const offered = await plain.getByRole('button', { name: 'Sign in with a passkey' }).isVisible();
  check('without scripts no passkey is offered', !offered);
  check('but a password is', await plain.getByLabel('Password').isVisible());
  await context.close();
}

/** A person registers a passkey, signs in by it in every way, and loses it. */
export async function passkeys({ page, browser, origin, shots }) {
  await add(page);
  const dora = await openPage(browser, 'Dora');
  const device = await authenticator(dora);
  await dora.goto(`${origin}/access`);
  await signIn(dora, DORA);
  await heading(dora, 'Access');
  await register(dora, shots);
  await signOut(dora);
  await press(dora, 'Sign in with a passkey');
  await press(dora, 'Sign out');
  await heading(dora, 'Sign in');
  check('a passkey signs in without a password', true);
  await signIn(dora, DORA);
  await press(dora, 'Use a passkey');
  await dora.getByRole('button', { name: 'Sign out' }).waitFor();
  check('a passkey is the second step', true);
  await goTo(dora, 'Access');
  await stepUp(dora);
  await signOut(dora);
  await pageForPrograms(browser, origin, dora, shots);
  await signOut(dora);
  await device.verifies(false);
  await press(dora, 'Sign in with a passkey');
  await dora.getByText('no passkey was shown').waitFor();
  check('whom the device has not verified does not get in', true);
  await device.verifies(true);
  await page.reload();
  await press(page, `Passkeys of ${DORA.email}`);
  await press(page, 'Remove passkey laptop');
  const asked = page.getByRole('dialog', { name: 'Remove passkey laptop' });
  await asked.getByRole('button', { name: 'Remove', exact: true }).click();
  await page.getByText('There are none.').waitFor();
  await press(page, 'Close');
  await press(dora, 'Sign in with a passkey');
  await dora.getByText('this passkey is not good here').waitFor();
  check('a removed passkey is refused', true);
  await dora.context().close();
}
