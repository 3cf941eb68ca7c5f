import { chromium } from 'playwright-core';
import { readFileSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const POLICY = readFileSync('/work/wt/console/console/src/lib.rs', 'utf8')
  .match(/POLICY: &str = "([\s\S]*?)";/)[1]
  .replace(/\\\n\s*/g, '');
console.log(POLICY);
const B = 'https://127.0.0.1:19443';
const types = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-dev-shm-usage'],
});
const context = await browser.newContext({
  ignoreHTTPSErrors: true,
  viewport: { width: 1440, height: 900 },
});
await context.route(
  (url) => url.origin === B && !/^\/(api|prometheus)\//.test(url.pathname),
  (route) => {
    const u = new URL(route.request().url());
    let f = path.join('/tmp/cdev/dist', u.pathname);
    if (!existsSync(f) || u.pathname === '/') f = '/tmp/cdev/dist/index.html';
    route.fulfill({
      body: readFileSync(f),
      contentType: types[f.split('.').pop()],
      headers: { 'content-security-policy': POLICY },
    });
  },
);
const page = await context.newPage();
page.setDefaultTimeout(10000);
page.on('console', (m) => {
  if (m.type() === 'error') console.log('CONSOLE', m.text().slice(0, 300));
});
page.on('pageerror', (e) => console.log('PAGEERROR', e.message));
const shots = '/tmp/cdev/shots';
async function a(name) {
  const f = await page.evaluate(`(()=>{${axe}; return axe.run(document)})()`);
  for (const v of f.violations)
    console.log(
      'AXE',
      name,
      v.id,
      v.nodes
        .slice(0, 3)
        .map((n) => n.target.join(' ') + ' ' + n.failureSummary?.replace(/\n/g, ' ').slice(0, 200))
        .join(' | '),
    );
}
await page.goto(B + '/sign-in');
await page.getByLabel('E-mail').fill('ann@example.org');
await page.locator('input[type=password]').fill('correct horse battery staple');
await page.getByRole('button', { name: 'Sign in' }).click();
await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
const id = (await (await context.request.get(B + '/api/devices/v1/devices')).json()).items[0].id;
const pages = {
  overview: '/',
  devices: '/devices',
  device: '/devices/' + id,
  explore: '/explore',
  alerts: '/alerts',
  access: '/access',
  audit: '/audit',
  health: '/health',
};
const only = process.argv[2]?.split(',');
const modes = (process.argv[3] ?? 'light,dark,narrow').split(',');
for (const mode of modes) {
  await page.emulateMedia({ colorScheme: mode === 'dark' ? 'dark' : 'light' });
  await page.setViewportSize(
    mode === 'narrow' ? { width: 360, height: 800 } : { width: 1440, height: 900 },
  );
  for (const [n, p] of Object.entries(pages)) {
    if (only && only[0] !== 'all' && !only.includes(n)) continue;
    await page.goto(B + p);
    await page.waitForTimeout(1500);
    await page.screenshot({ path: `${shots}/${n}-${mode}.png`, fullPage: true });
    await a(n + ' ' + mode);
    const w = await page.evaluate('document.documentElement.scrollWidth');
    if (mode === 'narrow' && w > 360) console.log('WIDE', n, w);
  }
}
if (process.argv[4]) {
  await import(process.argv[4]).then((m) => m.default(page, shots));
}
await browser.close();
