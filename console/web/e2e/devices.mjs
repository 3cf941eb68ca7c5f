/** Devices: found, looked at, told to do something; and one that lies. */
import { look } from './browser.mjs';
import { agentOf, LIES, startLiar } from './platform.mjs';
import { check } from './report.mjs';

/** The oldest that a chart may be, seconds. */
const FRESH_S = 15;

const list = (page) => page.getByRole('table', { name: 'Devices', exact: true });
export const goTo = async (page, name) => {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click();
  await page.getByRole('heading', { name, level: 1 }).waitFor();
};

/** Enrols the device that lies, by the line that the console shows. */
export async function enrolLiar({ page, binary, folder }) {
  await goTo(page, 'Access');
  await page.getByLabel('Token name').fill('second');
  await page.getByRole('button', { name: 'Make a token' }).click();
  const line = await page.getByLabel('Line that enrols a device').innerText();
  const liar = startLiar(binary, folder, line);
  await goTo(page, 'Devices');
  await page.getByText('2 devices', { exact: true }).waitFor();
  check('the line enrols a second device, and the list shows it without a reload', true);
  return liar;
}

export async function find({ page, shots, device }) {
  await goTo(page, 'Devices');
  const rows = list(page).getByRole('row').filter({ hasText: 'online' });
  await rows.nth(1).waitFor();
  await page.getByLabel('Search').fill('no such machine');
  await page.getByText('No device is like this.').waitFor();
  await page.getByText('0 devices', { exact: true }).waitFor();
  await page.getByLabel('Search').pressSequentially('x', { delay: 0 });
  await page.getByLabel('Search').fill('');
  await page.getByLabel('Search').pressSequentially(device.slice(0, 4), { delay: 10 });
  const own = list(page).getByRole('link', { name: device, exact: true });
  await own.waitFor();
  check(`search finds ${device}`, true);
  await page.getByLabel('Search').fill('');
  await page.getByLabel(`${LIES.model} (1)`).check();
  await page.getByText('1 device', { exact: true }).waitFor();
  await list(page).getByRole('link', { name: LIES.hostname, exact: true }).waitFor();
  check('a facet narrows the list', (await own.count()) === 0);
  await page.getByRole('button', { name: 'Show all' }).click();
  await page.getByText('2 devices', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Last heard of' }).click();
  await page.getByRole('columnheader', { name: 'Last heard of' }).waitFor();
  check('the list is sorted as asked', page.url().includes('sort=last_seen'));
  await look(page, shots, 'devices');
}

/** What the lying device says must be text wherever it is shown. */
export async function distrust({ page, shots, device }) {
  await goTo(page, 'Devices');
  await list(page).getByRole('link', { name: LIES.hostname, exact: true }).click();
  await page.getByRole('heading', { name: LIES.hostname, level: 1 }).waitFor();
  check('the title has the name as it is', (await page.title()).startsWith(LIES.hostname));
  await page.getByText(LIES.serial).first().waitFor();
  await page.getByText('hardware', { exact: true }).click();
  await page.getByRole('region', { name: 'Inventory' }).getByText(LIES.model).first().waitFor();
  await run(page, `printf '%s\\033[31m\\377' '${LIES.output}'`);
  await page.getByLabel('Output of the command').getByText(LIES.output).waitFor();
  await page.keyboard.press('Control+k');
  await page.getByLabel('Page or device').fill('img');
  await page.getByRole('option', { name: LIES.hostname }).waitFor();
  await look(page, shots, 'palette');
  check(
    'nothing that a device says becomes markup',
    (await page.locator('main img').count()) === 0,
  );
  await page.getByLabel('Page or device').fill(device);
  await page.getByRole('option', { name: device }).click();
  await page.getByRole('heading', { name: device, level: 1 }).waitFor();
  check('the palette opens a device', true);
}

async function run(page, script) {
  await page.getByLabel('Script').fill(script);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByRole('region', { name: 'Output' }).getByText('succeeded').waitFor();
}

const memory = (page) => page.getByRole('region', { name: 'Memory', exact: true });
async function age(page) {
  await memory(page).locator('canvas').waitFor();
  return Number(await memory(page).locator('[data-age]').getAttribute('data-age'));
}
/** Waits until the age shown is, or is not, at most what is allowed. */
const until = (page, wanted) =>
  page.waitForFunction(
    ([most, fresh]) => {
      const shown = document.querySelector('section[aria-label="Memory"] [data-age]');
      return shown !== null && Number(shown.dataset.age) <= most === fresh;
    },
    [FRESH_S, wanted],
  );

/** The newest sample is new; and it is not when the agent is held still: the check can fail. */
export async function freshness({ page, server, shots }) {
  const seconds = await age(page);
  check(`the chart's newest sample is ${seconds} s old, at most ${FRESH_S}`, seconds <= FRESH_S);
  const agent = agentOf(server);
  process.kill(agent, 'SIGSTOP');
  try {
    await until(page, false);
    await page.reload();
    const held = await age(page);
    check(`with the agent held, the same check fails: ${held} s`, held > FRESH_S);
    await memory(page).screenshot({ path: `${shots}/chart-of-a-held-agent.png` });
  } finally {
    process.kill(agent, 'SIGCONT');
  }
  await until(page, true);
  check('with the agent going on, the chart is fresh again', true);
}

export async function command({ page, shots }) {
  await run(page, 'uname -a; echo "<b>bold</b>"');
  const output = await page.getByLabel('Output of the command').innerText();
  check('the output is text', output.includes('<b>bold</b>') && output.includes('Linux'));
  await page.getByText('software', { exact: true }).click();
  await page.getByLabel('Search software, packages').fill('libc6');
  await page.getByRole('cell', { name: 'libc6', exact: true }).waitFor();
  await look(page, shots, 'device');
}

export async function tag({ page }) {
  await page.getByRole('button', { name: 'Name and tags' }).click();
  await page.getByRole('textbox', { name: 'Tags' }).fill('lab e2e');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('lab, e2e').or(page.getByText('e2e, lab')).first().waitFor();
  await goTo(page, 'Devices');
  await page.getByLabel('e2e (1)').check();
  await page.getByText('1 device', { exact: true }).waitFor();
  check('a device can be tagged and found by its tag', true);
}

/** Retires the device that lies: asked first, and gone afterwards. */
export async function retire({ page, shots }) {
  await goTo(page, 'Devices');
  await list(page).getByRole('link', { name: LIES.hostname, exact: true }).click();
  await page.getByRole('button', { name: `Retire ${LIES.hostname}` }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('This one device is removed').waitFor();
  await look(page, shots, 'confirm');
  await dialog.getByRole('button', { name: 'Retire' }).click();
  await page.getByText('1 device', { exact: true }).waitFor();
  check('a device can be retired', true);
}
