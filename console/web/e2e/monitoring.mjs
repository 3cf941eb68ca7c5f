/** Metrics and alerts. */
import { createServer } from 'node:http';
import { look } from './browser.mjs';
import { goTo } from './devices.mjs';
import { check } from './report.mjs';

export async function explore({ page, shots }) {
  await goTo(page, 'Metrics');
  const series = page.getByRole('table', { name: 'Series' });
  await series.getByText('used').waitFor();
  const ask = async (expr) => {
    await page.getByLabel('PromQL').fill(expr);
    await page.getByRole('button', { name: 'Ask' }).click();
  };
  await ask('sum(');
  await page.getByText('unclosed left parenthesis').first().waitFor();
  check("a mistake in PromQL is told in Prometheus' words", true);
  await ask('system_cpu_logical_count * 0 + 42');
  await series.getByRole('cell', { name: '42', exact: true }).first().waitFor();
  check('a typed query is answered', true);
  await ask('system_memory_usage_bytes');
  await page.locator('section[aria-label="Over time"] [data-age]').waitFor();
  await page.locator('section[aria-label="Over time"] canvas').waitFor();
  await look(page, shots, 'metrics');
}

/** A receiver of webhooks; resolves with the first that arrives. */
async function receiver() {
  let arrived;
  const first = new Promise((resolve) => (arrived = resolve));
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      response.writeHead(204).end();
      arrived(Buffer.concat(chunks).toString());
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { first, server, url: `http://127.0.0.1:${server.address().port}/hook` };
}

export async function alert({ page, shots }) {
  const hook = await receiver();
  try {
    await goTo(page, 'Alerts');
    await page.getByLabel('Channel name').fill('pager');
    await page.getByLabel('Webhook address').fill(hook.url);
    await page.getByRole('button', { name: 'Make the channel' }).click();
    await page.getByRole('table', { name: 'Channels' }).getByText('pager').waitFor();
    await page.getByLabel('Rule name').fill('memory in use');
    await page.getByLabel('Expression').fill('system_memory_usage_bytes{state="used"} > 1e6');
    await page.getByLabel('Seconds it must hold').fill('0');
    await page.getByLabel('What to do').fill('Close something');
    await page.getByLabel('Tell').selectOption({ label: 'pager' });
    await page.getByRole('button', { name: 'Try it' }).click();
    await page.getByText(/^It finds \d+ series now/).waitFor();
    await page.getByRole('button', { name: 'Make the rule' }).click();
    const alerts = page.getByRole('table', { name: 'Alerts', exact: true });
    await alerts.getByText('firing').first().waitFor();
    check('a real threshold fires', (await alerts.innerText()).includes('memory in use'));
    check('the channel hears of it', (await hook.first).includes('memory in use'));
    await page.getByRole('link', { name: /^Alerts \d+ firing$/ }).waitFor();
    await look(page, shots, 'alerts');
    await goTo(page, 'Overview');
    await page
      .getByRole('table', { name: 'Firing alerts' })
      .getByText('Close something')
      .first()
      .waitFor();
    await look(page, shots, 'overview');
    await goTo(page, 'Alerts');
    await page.getByRole('button', { name: 'Remove rule memory in use' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.getByText('No alert is pending or firing.').waitFor();
    check('a rule can be removed', true);
  } finally {
    hook.server.close();
  }
}
