/**
 * The console in a real Chromium, on a real server with a real agent on this machine.
 *
 * OPENFRAME_BIN names the executable (default: the debug build). Everything lives in a folder of its
 * own; only what this script has started is stopped.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const here = path.dirname(new URL(import.meta.url).pathname);
const root = path.resolve(here, '../../..');
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
const binary = process.env.OPENFRAME_BIN ?? path.join(target, 'debug/openframe');
const shots = path.join(target, 'e2e');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PATIENCE = 30_000;
const problems = [];

function check(what, good) {
  console.log(`${good ? 'ok  ' : 'FAIL'} ${what}`);
  if (!good) problems.push(what);
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts `openframe up`; resolves to the process and its set-up link once the device is online. */
async function start(folder) {
  const [people, agents, admin] = [await freePort(), await freePort(), await freePort()];
  const server = spawn(
    binary,
    [
      'up',
      '--no-build',
      ...['--data', path.join(folder, 'data')],
      ...['--listen', `https://127.0.0.1:${people}`],
      ...['--agents-listen', `https://127.0.0.1:${agents}`],
      ...['--admin-listen', `http://127.0.0.1:${admin}`],
      ...['--set', 'monitoring.evaluation_interval_s=1'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const said = [];
  const link = await new Promise((resolve, reject) => {
    let online = false;
    let found;
    const read = (line) => {
      said.push(line);
      online ||= line.includes('is online');
      found ??= line.match(/https:\S+\/setup#token=\S+/)?.[0];
      if (online && found) resolve(found);
    };
    createInterface({ input: server.stdout }).on('line', read);
    createInterface({ input: server.stderr }).on('line', read);
    server.on('exit', (code) =>
      reject(new Error(`the server ended (${code}):\n${said.join('\n')}`)),
    );
    setTimeout(() => reject(new Error(`never online:\n${said.join('\n')}`)), PATIENCE).unref();
  });
  return { server, link };
}

async function accessible(page, name) {
  await page.screenshot({ path: path.join(shots, `${name}.png`), fullPage: true });
  // Evaluated by the debugger, which the page's policy does not concern.
  const found = await page.evaluate(`(() => { ${axe}; return axe.run(document); })()`);
  const list = found.violations.map(
    (it) => `${it.id}: ${it.nodes.map((node) => node.target.join(' ')).join(', ')}`,
  );
  check(`${name} is accessible ${list.join('; ')}`, list.length === 0);
}

async function walk(page, link) {
  await page.goto(link);
  await page.getByLabel('Your name').fill('Ann');
  await page.getByLabel('E-mail').fill('ann@example.org');
  await page.locator('input[type=password]').fill('correct horse battery staple');
  await accessible(page, 'setup');
  await page.getByRole('button', { name: 'Create the owner' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  check('the set-up link signs in', true);
  await page.getByText('1 devices.').waitFor();
  await accessible(page, 'overview');

  await page.getByRole('link', { name: 'Devices', exact: true }).click();
  const row = page.getByRole('row').filter({ hasText: 'online' });
  await row.waitFor();
  const name = await row.getByRole('link').innerText();
  await page.getByLabel('Search').fill('no such machine');
  await page.getByText('0 devices').waitFor();
  await page.getByLabel('Search').fill(name.slice(0, 4));
  await row.waitFor();
  check(`search finds ${name}`, true);
  await accessible(page, 'devices');

  await row.getByRole('link').click();
  await page.getByRole('heading', { name, level: 1 }).waitFor();
  const age = page.getByRole('region', { name: 'Memory', exact: true }).locator('[data-age]');
  await age.waitFor();
  await page.locator('section[aria-label="Memory"] canvas').waitFor();
  const seconds = Number(await age.getAttribute('data-age'));
  check(`the chart's newest value is ${seconds} s old, at most 15`, seconds <= 15);
  await page.getByLabel('Script').fill('uname -a; echo "<b>bold</b>"');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const output = page.getByLabel('Output of the command');
  await output.getByText('Linux').waitFor();
  await page.getByRole('region', { name: 'Output' }).getByText('succeeded').waitFor();
  const text = await output.innerText();
  check('the output is text', text.includes('<b>bold</b>') && text.includes('Linux'));
  await page.getByText('software', { exact: true }).waitFor();
  await accessible(page, 'device');

  await page.getByRole('link', { name: 'Metrics' }).click();
  await page.getByRole('region', { name: 'Series' }).getByText('used').waitFor();
  await accessible(page, 'metrics');

  await page.getByRole('link', { name: 'Alerts' }).click();
  await page.getByLabel('Rule name').fill('memory in use');
  await page.getByLabel('Expression').fill('system_memory_usage_bytes{state="used"} > 1e6');
  await page.getByLabel('Seconds it must hold').fill('0');
  await page.getByRole('button', { name: 'Make the rule' }).click();
  const alerts = page.getByRole('region', { name: 'Alerts', exact: true });
  await alerts.getByText('firing').first().waitFor();
  check('a real threshold fires', (await alerts.innerText()).includes('memory in use'));
  await accessible(page, 'alerts');

  await page.getByRole('link', { name: 'Access' }).click();
  await page.getByRole('button', { name: 'Make a token' }).click();
  const line = page.getByLabel('Line that enrols a device');
  await line.waitFor();
  check('there is a line that enrols', (await line.innerText()).includes('enrol --server'));
  await accessible(page, 'access');

  await page.getByRole('link', { name: 'Audit' }).click();
  await page.getByText('command.create').first().waitFor();
  await page.getByRole('button', { name: 'Verify the chain' }).click();
  await page.getByText('unbroken').waitFor();
  await accessible(page, 'audit');

  await page.getByRole('link', { name: 'Platform' }).click();
  await page.getByText('monitoring.telemetry_log').waitFor();
  await accessible(page, 'health');

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await accessible(page, 'sign-in');
  await page.getByLabel('E-mail').fill('ann@example.org');
  await page.locator('input[type=password]').fill('wrong wrong wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  await page.locator('input[type=password]').fill('correct horse battery staple');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  check('the password signs in', true);
  await page.goto(link);
  await page.getByLabel('Your name').fill('Eve');
  await page.getByLabel('E-mail').fill('eve@example.org');
  await page.locator('input[type=password]').fill('correct horse battery staple');
  await page.getByRole('button', { name: 'Create the owner' }).click();
  await page.getByRole('alert').waitFor();
  check('the set-up link works once', true);
}

const folder = mkdtempSync(path.join(tmpdir(), 'openframe-e2e-'));
mkdirSync(shots, { recursive: true });
let server;
let browser;
try {
  const started = await start(folder);
  server = started.server;
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const violations = [];
  await context.exposeFunction('policyViolated', (what) => violations.push(what));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      window.policyViolated(
        `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ''}:${event.lineNumber} ${event.sample}`,
      );
    });
  });
  page.on('pageerror', (error) => problems.push(`error in the page: ${error.message}`));
  try {
    await walk(page, started.link);
  } catch (error) {
    await page.screenshot({ path: path.join(shots, 'failed.png'), fullPage: true });
    throw error;
  } finally {
    check(`no policy violation ${[...new Set(violations)].join('; ')}`, violations.length === 0);
  }
} catch (error) {
  problems.push(String(error));
  console.error(error);
} finally {
  await browser?.close();
  if (server?.exitCode === null) {
    const ended = new Promise((resolve) => server.on('exit', resolve));
    server.kill('SIGTERM');
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
}
console.log(problems.length === 0 ? 'the console works' : `${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
