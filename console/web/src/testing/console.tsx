/** The whole console at one address, on a platform that answers what a test says. */
import { createMemoryHistory } from '@tanstack/react-router';
import { render } from '@testing-library/react';
import { vi } from 'vitest';
import { App } from '../app';
import { makeRouter } from '../router';
import { ANSWERS } from './answers';

/** `'never'` answers nothing; a number is a refusal of that status, {@link Refused} one of a code. */
export type Said = object | number | 'never';

/** A refusal that the console tells apart by its code. */
interface Refused {
  status: number;
  code: string;
}

const isRefused = (said: object): said is Refused => 'status' in said && 'code' in said;
export type Answers = Record<string, Said | ((body: unknown, url: URL) => Said)>;

export interface Request {
  method: string;
  path: string;
  body: unknown;
  /** What was sent to prove that a page of the console asks. */
  csrf: string | null;
}

/**
 * Shows the console at `path`. `answers` go before the usual ones; their keys are `GET /path`, and
 * `*` at the end stands for anything. Returns what was asked.
 */
export function showConsole(path: string, answers: Answers = {}) {
  const asked: Request[] = [];
  const all: Answers = { ...ANSWERS, ...answers };
  const respond = (address: string, { method = 'GET', body, headers }: RequestInit) => {
    const url = new URL(address, 'https://console.test');
    const sent: unknown = typeof body === 'string' ? JSON.parse(body) : undefined;
    const csrf = new Headers(headers).get('x-csrf-token');
    asked.push({ method, path: url.pathname + url.search, body: sent, csrf });
    const wanted = `${method} ${url.pathname}`;
    const matches = (key: string) =>
      key === wanted || (key.endsWith('*') && wanted.startsWith(key.slice(0, -1)));
    const key = Object.keys(answers).find(matches) ?? Object.keys(all).find(matches);
    const answer = key === undefined ? 404 : all[key];
    const said = typeof answer === 'function' ? answer(sent, url) : (answer ?? 404);
    if (said === 'never') return new Promise<Response>(() => undefined);
    if (typeof said !== 'number' && !isRefused(said))
      return Promise.resolve(new Response(JSON.stringify(said), { status: 200 }));
    const { status, code } = typeof said === 'number' ? { status: said, code: 'told' } : said;
    const problem = { code, detail: `refused with ${status}; ask the owner` };
    const text = status === 204 ? null : JSON.stringify(problem);
    return Promise.resolve(new Response(text, { status }));
  };
  vi.stubGlobal('fetch', respond);
  const router = makeRouter(createMemoryHistory({ initialEntries: [path] }));
  render(<App router={router} />);
  return { asked, router };
}
