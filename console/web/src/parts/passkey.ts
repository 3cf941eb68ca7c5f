/** Passkeys of this browser, asked for in the platform's words (WebAuthn, Level 3). */
import { ApiError, call } from '../api/client';
import type { PasskeyOptions } from '../api/types';

/** Whether this browser can be asked. */
export const knowsPasskeys = () =>
  typeof window.PublicKeyCredential?.parseRequestOptionsFromJSON === 'function';

/** What the browser has given; a person who has cancelled, or has none, gives nothing. */
async function given(credential: Promise<Credential | null>): Promise<unknown> {
  const shown = await credential.catch(() => null);
  if (!shown) {
    throw new ApiError(0, 'no_passkey', 'no passkey was shown; try again, or go another way');
  }
  return (shown as PublicKeyCredential).toJSON();
}

/** What the browser is asked; and, in a session, what goes back with its answer. */
async function asked<T>(path: string) {
  const { options, held } = await call<PasskeyOptions>('POST', path);
  return { publicKey: (options as unknown as { publicKey: T }).publicKey, held };
}

/** What goes to the platform. */
interface Shown {
  credential: unknown;
  held?: string | null;
}

/** Has a passkey shown for what is asked at `path`. */
export async function showPasskey(path: string): Promise<Shown> {
  const { publicKey, held } = await asked<PublicKeyCredentialRequestOptionsJSON>(path);
  const options = window.PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
  return { credential: await given(navigator.credentials.get({ publicKey: options })), held };
}

/** Has a passkey made for what is asked at `path`. */
export async function makePasskey(path: string): Promise<Shown> {
  const { publicKey, held } = await asked<PublicKeyCredentialCreationOptionsJSON>(path);
  const options = window.PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
  return { credential: await given(navigator.credentials.create({ publicKey: options })), held };
}
