/** A real server with a real agent on this machine, and a second agent that lies about itself. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';

/** How long anything may take to happen. */
export const PATIENCE = 30_000;

export const freePort = () =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Starts `openframe up`; resolves once it has said where it is and that its device is online. */
export async function start(binary, folder) {
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
  const found = await new Promise((resolve, reject) => {
    const known = {};
    const read = (line) => {
      said.push(line);
      known.device ??= line.match(/device (\S+) is online/)?.[1];
      known.link ??= line.match(/https:\S+\/setup#token=\S+/)?.[0];
      known.root ??= line.match(/Trust\s+(\S+)/)?.[1];
      if (known.device && known.link && known.root) resolve(known);
    };
    createInterface({ input: server.stdout }).on('line', read);
    createInterface({ input: server.stderr }).on('line', read);
    server.on('exit', (code) =>
      reject(new Error(`the server ended (${code}):\n${said.join('\n')}`)),
    );
    setTimeout(() => reject(new Error(`never online:\n${said.join('\n')}`)), PATIENCE).unref();
  });
  return { server, ...found, origin: new URL(found.link).origin };
}

/** Tells a process to end and waits until it has. */
export async function stop(process) {
  if (!process || process.exitCode !== null || process.signalCode !== null) return;
  const ended = new Promise((resolve) => process.on('exit', resolve));
  process.kill('SIGTERM');
  await ended;
}

/** The id of the agent that `openframe up` has started. */
export function agentOf(server) {
  const tasks = `/proc/${server.pid}/task`;
  const children = readdirSync(tasks).flatMap((task) =>
    readFileSync(`${tasks}/${task}/children`, 'utf8').split(' ').filter(Boolean),
  );
  const agent = children.find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('openframe-agent'),
  );
  if (!agent) throw new Error('the server has no agent');
  return Number(agent);
}

/** What the lying device says of itself: markup, a right-to-left turn, an escape, no UTF-8. */
export const LIES = {
  hostname: '<img src=x onerror=alert(1)>',
  serial: '"><script>alert(2)</script>',
  model: '<b onmouseover=alert(3)>model</b>',
  output: '<i>output</i><script>alert(4)</script>',
};

/** Files laid over those that the agent reads, seen by it alone. */
const SCRIPT = `set -e
mount --bind "$FOLDER/hostname" /proc/sys/kernel/hostname
mount -t tmpfs none /sys/class
mkdir -p /sys/class/dmi/id
cp "$FOLDER/product_serial" "$FOLDER/product_name" /sys/class/dmi/id/
exec "$AGENT" run --state "$FOLDER/state"`;

/** Enrols a second agent by the line that the console shows, and starts it among the lies. */
export function startLiar(binary, folder, line) {
  const agent = path.join(path.dirname(binary), 'openframe-agent');
  const place = path.join(folder, 'liar');
  mkdirSync(place);
  writeFileSync(path.join(place, 'hostname'), `${LIES.hostname}\n`);
  const serial = Buffer.from(`${LIES.serial}\u202e\u001b[31m`);
  writeFileSync(path.join(place, 'product_serial'), Buffer.concat([serial, Buffer.of(0xff, 10)]));
  writeFileSync(path.join(place, 'product_name'), `${LIES.model}\n`);
  const [, server] = line.match(/--server (\S+)/);
  const [, token] = line.match(/--token (\S+)/);
  const state = path.join(place, 'state');
  const enrol = ['enrol', '--server', server, '--token', token, '--state', state];
  const enrolled = spawnSync(agent, enrol, { encoding: 'utf8' });
  if (enrolled.status !== 0) throw new Error(`the agent cannot enrol: ${enrolled.stderr}`);
  // Inside a chroot no program may have a user namespace of its own; root needs none.
  const own = spawnSync('unshare', ['--map-root-user', 'true']).status === 0;
  const user = own ? ['--map-root-user'] : [];
  return spawn('unshare', [...user, '--mount', 'sh', '-c', SCRIPT], {
    env: { ...process.env, FOLDER: place, AGENT: agent },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
