import { expect, it, vi } from 'vitest';
import { ApiError, call, query, setCsrf } from './client';

function answer(status: number, body: unknown) {
  const respond = () => Promise.resolve(new Response(JSON.stringify(body), { status }));
  const fetch = vi.fn<(path: string, options: RequestInit) => Promise<Response>>(respond);
  vi.stubGlobal('fetch', fetch);
  return fetch;
}

it('proves that a change comes from this page', async () => {
  const fetch = answer(200, {});
  setCsrf('token');
  await call('POST', '/x', { a: 1 });
  await call('GET', '/x');
  const headers = fetch.mock.calls.map(([, options]) => options.headers as Record<string, string>);
  expect(headers[0]?.['x-csrf-token']).toBe('token');
  expect(headers[0]?.['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
  expect(headers[1]?.['x-csrf-token']).toBeUndefined();
});

it('tells what the platform says', async () => {
  answer(409, { code: 'name_taken', detail: 'the name is taken; choose another' });
  const error = (await call('GET', '/x').catch((it: unknown) => it)) as ApiError;
  expect([error.status, error.code, error.message]).toEqual([
    409,
    'name_taken',
    'the name is taken; choose another',
  ]);
});

it("tells Prometheus' own words of a mistake in PromQL", async () => {
  const error = 'invalid parameter "query": unclosed left parenthesis';
  answer(400, { status: 'error', errorType: 'bad_data', error });
  const said = (await call('GET', '/prometheus/x').catch((it: unknown) => it)) as ApiError;
  expect([said.code, said.message]).toEqual(['bad_data', error]);
});

it('says something of an answer that is no JSON', async () => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('<html>', { status: 502 })));
  const said = (await call('GET', '/x').catch((it: unknown) => it)) as ApiError;
  expect(said.message).toBe('the platform answered 502; try again');
});

it('leaves empty parameters out', () => {
  expect(query({ a: '', b: 1, c: undefined, d: 'x y&z' })).toBe('?b=1&d=x+y%26z');
  expect(query({})).toBe('');
});
