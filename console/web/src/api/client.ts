/** Calls of the platform's API. The session is a cookie that scripts cannot read. */

/** What went wrong, as the platform says it (RFC 9457; under `/prometheus`, as Prometheus does). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

let csrf: string | undefined;

/** Keeps the token that proves that a change comes from this page. */
export function setCsrf(token: string | null | undefined) {
  csrf = token ?? undefined;
}

/** Whether the platform says that nobody is signed in. */
export const signedOut = (error: unknown) => error instanceof ApiError && error.status === 401;

/** Whether the platform says that one may not. */
export const forbidden = (error: unknown) => error instanceof ApiError && error.status === 403;

const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);

async function refusal(answer: Response): Promise<ApiError> {
  const body: unknown = await answer.json().catch(() => null);
  const problem = (body ?? {}) as Record<string, unknown>;
  const said = text(problem.detail) ?? text(problem.error) ?? text(problem.title);
  const code = text(problem.code) ?? text(problem.errorType) ?? 'unknown';
  const fallback = `the platform answered ${answer.status}; try again`;
  return new ApiError(answer.status, code, said ?? fallback);
}

/** Asks whoever is at the screen to show anew who that is; tells whether it was done. */
type StepUp = () => Promise<boolean>;
let stepUp: StepUp | undefined;

/** Sets what is asked when the platform wants a fresh sign-in; gives back how to unset it. */
export function onStepUp(ask: StepUp): () => void {
  stepUp = ask;
  return () => {
    if (stepUp === ask) stepUp = undefined;
  };
}

/**
 * Sends one request; throws an {@link ApiError} unless it succeeded. Where the platform wants a fresh
 * sign-in first, that is asked for, and the request is sent once more.
 */
export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  try {
    return await send<T>(method, path, body);
  } catch (error) {
    const wanted = error instanceof ApiError && error.code === 'step_up_needed';
    if (!wanted || !stepUp || !(await stepUp())) throw error;
    return send<T>(method, path, body);
  }
}

/** Sends one request; throws an {@link ApiError} unless it succeeded. */
async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' };
  if (body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET') {
    if (csrf) headers['x-csrf-token'] = csrf;
    headers['idempotency-key'] = crypto.randomUUID();
  }
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, 'unreachable', 'the platform cannot be reached; check the network');
  }
  if (!answer.ok) throw await refusal(answer);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export const get = <T>(path: string) => call<T>('GET', path);

/** Query parameters as text, empty ones left out. */
export function query(parameters: Record<string, string | number | undefined>): string {
  const pairs = Object.entries(parameters).filter(
    ([, value]) => value !== undefined && value !== '',
  );
  const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? '' : `?${text}`;
}
