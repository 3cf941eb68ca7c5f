/**
 * The console in a real Chromium, on a real server with a real agent on this machine.
 *
 * OPENFRAME_BIN names the executable (default: the debug build). Everything lives in a folder of its
 * own; only what this script has started is stopped.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { launch, openPage, vouchedKey } from './browser.mjs';
import { command, distrust, enrolLiar, find, freshness, retire, tag } from './devices.mjs';
import { secondFactor } from './factors.mjs';
import { alert, explore } from './monitoring.mjs';
import { passkeys } from './passkeys.mjs';
import { audit, colours, health, key, person, setUp, signOutAndIn } from './people.mjs';
import { boundProgram, program } from './programs.mjs';
import { start, stop } from './platform.mjs';
import { problems } from './report.mjs';

const here = path.dirname(new URL(import.meta.url).pathname);
const root = path.resolve(here, '../../..');
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
const binary = process.env.OPENFRAME_BIN ?? path.join(target, 'debug/openframe');
const shots = path.join(target, 'e2e');

/** The order of a technician's first hour. */
const STEPS = [
  ...[
    distrust,
    freshness,
    command,
    tag,
    explore,
    alert,
    person,
    secondFactor,
    passkeys,
    key,
    program,
    boundProgram,
    colours,
  ],
  ...[audit, health, retire, signOutAndIn],
];

const folder = mkdtempSync(path.join(tmpdir(), 'openframe-e2e-'));
rmSync(shots, { recursive: true, force: true });
mkdirSync(shots, { recursive: true });
let server, liar, browser, page;
try {
  const started = await start(binary, folder);
  server = started.server;
  browser = await launch(await vouchedKey(started.origin, started.root));
  page = await openPage(browser, 'Ann');
  const run = { ...started, page, browser, shots, binary, folder };
  await setUp(run);
  liar = await enrolLiar(run);
  await find(run);
  for (const step of STEPS) await step(run);
} catch (error) {
  problems.push(String(error));
  console.error(error);
  await page?.screenshot({ path: path.join(shots, 'failed.png'), fullPage: true }).catch(() => {});
} finally {
  await browser?.close();
  await stop(liar);
  await stop(server);
  rmSync(folder, { recursive: true, force: true });
}
for (const problem of new Set(problems)) console.log(`FAIL ${problem}`);
console.log(problems.length === 0 ? 'the console works' : `${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
