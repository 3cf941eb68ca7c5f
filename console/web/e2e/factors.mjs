/** A second factor: enrolled, asked for, lost, and asked for by the page of programs without a script. */
import { createHmac } from 'node:crypto';
import { look, openPage } from './browser.mjs';
import { goTo } from './devices.mjs';
import { agree, signIn } from './people.mjs';
import { check } from './report.mjs';

const CAROL = { email: 'carol@example.org', password: 'a third horse battery staple' };
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

const heading = (page, name) => page.getByRole('heading', { name, level: 1 }).waitFor();

/** What an authenticator app shows (RFC 6238), `steps` later. */
function codeOf(key, steps = 0) {
  const bits = [...key].map((it) => LETTERS.indexOf(it).toString(2).padStart(5, '0')).join('');
  const secret = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac('sha1', secret).update(counter).digest();
  const number = hash.readUInt32BE(hash[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

async function type(page, code) {
  await page.getByLabel('Code').fill(code);
  await page.getByLabel('Code').press('Enter');
}

async function add(page) {
  await goTo(page, 'Access');
  const form = page.getByRole('form', { name: 'New person' });
  await form.getByLabel('Name').fill('Carol');
  await form.getByLabel('E-mail').fill(CAROL.email);
  await form.locator('input[type=password]').fill(CAROL.password);
  await form.getByRole('button', { name: 'Add the person' }).click();
  await page.getByRole('table', { name: 'People' }).getByText(CAROL.email).waitFor();
}

// B24
/** A person enrols an app, signs in with it and with a recovery code, and has it reset. */
export async function secondFactor({ page, browser, origin, shots }) {
  await add(page);
  const carol = await openPage(browser, 'Carol');
  await carol.goto(`${origin}/access`);
  await signIn(carol, CAROL);
  await heading(carol, 'Access');
  await carol.getByRole('button', { name: 'Enrol an authenticator app' }).click();
  await carol.getByRole('button', { name: 'Show the key' }).click();
  const picture = carol.getByAltText('QR code of the key');
  await picture.waitFor();
  check('the key is a picture', await picture.evaluate((it) => it.naturalWidth > 0));
  const key = (await carol.getByLabel('The key').innerText()).trim();
  await look(carol, shots, 'enrolling');
  await type(carol, codeOf(key));
  const codes = (await carol.getByLabel('The recovery codes').innerText()).trim().split('\n');
  check('there are ten recovery codes', codes.length === 10);
  await carol.getByRole('button', { name: 'I have kept them' }).click();
  for (const code of [codeOf(key, 1), codes[0]]) {
    await carol.getByRole('button', { name: 'Sign out' }).click();
    await signIn(carol, CAROL);
    await carol.getByRole('form', { name: 'Second factor' }).waitFor();
    await type(carol, code);
    await carol.getByRole('button', { name: 'Sign out' }).waitFor();
  }
  check('a code and a recovery code sign in after the password', true);
  await page.reload();
  await agree(page, `Reset factors of ${CAROL.email}`, 'Reset factors');
  await heading(carol, 'Sign in');
  await signIn(carol, CAROL);
  await carol.getByRole('button', { name: 'Sign out' }).waitFor();
  check('an owner lets in who has lost the app', true);
  await carol.context().close();
}
