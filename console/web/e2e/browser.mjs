/** A real Chromium that trusts the platform's certificate and nothing else about it. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { connect } from 'node:tls';
import { chromium } from 'playwright-core';
import { PATIENCE } from './platform.mjs';
import { check, problems } from './report.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** A desk and the narrowest telephone. */
const WIDE = { width: 1280, height: 900 };
const NARROW = { width: 360, height: 740 };

/**
 * The key of the server whose chain and name the root certificate, and it alone, vouches for; as
 * the hash by which Chromium can be told of it. Chromium's own store of authorities takes tools and
 * a folder of the person who runs this, so the chain is checked here and the browser is pinned to
 * its key: another server, or the right one with another certificate, fails the run.
 */
export function vouchedKey(origin, root) {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const ca = readFileSync(root);
    const socket = connect({ host: hostname, servername: hostname, port: Number(port), ca }, () => {
      const { publicKey } = socket.getPeerX509Certificate();
      socket.end();
      const key = publicKey.export({ type: 'spki', format: 'der' });
      resolve(createHash('sha256').update(key).digest('base64'));
    });
    socket.on('error', reject);
  });
}

export const launch = (key) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-dev-shm-usage',
      `--ignore-certificate-errors-spki-list=${key}`,
    ],
  });

/** A page of a browser profile of its own; what it breaks or may not do fails the run. */
export async function openPage(browser, who) {
  const context = await browser.newContext({ viewport: WIDE, colorScheme: 'light' });
  await context.exposeFunction('policyViolated', (what) =>
    problems.push(`${who}: the policy is violated: ${what}`),
  );
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      window.policyViolated(
        `${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ''}:${event.lineNumber} ${event.sample}`,
      );
    });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on('pageerror', (error) => problems.push(`${who}: error in the page: ${error.message}`));
  page.on('dialog', (dialog) => {
    problems.push(`${who}: a script of somebody else ran: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return page;
}

async function accessible(page, name) {
  // Evaluated by the debugger, which the page's policy does not concern.
  const found = await page.evaluate(`(() => { ${axe}; return axe.run(document); })()`);
  const list = found.violations.map(
    (it) => `${it.id}: ${it.nodes.map((node) => node.target.join(' ')).join(', ')}`,
  );
  check(`${name} is accessible ${list.join('; ')}`, list.length === 0);
}

/** Looks at a page in light and dark on a desk and on a telephone, and keeps what was seen. */
export async function look(page, shots, name) {
  const console = (await page.locator('html[data-mantine-color-scheme]').count()) > 0;
  for (const scheme of ['dark', 'light']) {
    await page.emulateMedia({ colorScheme: scheme });
    // The console says when it has changed; the server's own pages change by themselves.
    if (console) await page.locator(`html[data-mantine-color-scheme=${scheme}]`).waitFor();
    for (const [size, width] of [
      ['narrow', NARROW],
      ['wide', WIDE],
    ]) {
      await page.setViewportSize(width);
      const shot = `${name}-${scheme}-${size}`;
      await page.screenshot({ path: path.join(shots, `${shot}.png`), fullPage: true });
      await accessible(page, shot);
      const wide = await page.evaluate('document.documentElement.scrollWidth');
      check(`${shot} needs no sideways scrolling`, wide <= width.width);
    }
  }
}
