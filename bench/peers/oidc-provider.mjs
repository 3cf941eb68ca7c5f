/**
 * The peer of `openframe-bench identity`: oidc-provider (npm), a certified OpenID provider, with what it
 * keeps in memory. `node oidc-provider.mjs FOLDER PORT CLIENT_ID CLIENT_SECRET`, with oidc-provider
 * installed in FOLDER.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, port, client_id, client_secret] = process.argv.slice(2);
const found = createRequire(path.join(folder, 'x.js')).resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(found));
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    { client_id, client_secret, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] },
  ],
  scopes: ['read'],
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    devInteractions: { enabled: false },
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
