import { afterEach, beforeEach, expect, it } from 'vitest';
import { HttpListener } from '../../src/http/http-listener.ts';
import type { Call } from '../../src/model/call.ts';
import { MeridianError } from '../../src/model/errors.ts';
import { type LogFields, loggerTo } from '../../src/runtime/logger.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';

let listener: HttpListener;
let base: string;
let calls: Call[];
let lines: Array<readonly [level: string, fields: LogFields | undefined]>;

beforeEach(async () => {
  [calls, lines] = [[], []];
  listener = new HttpListener({
    surfaces: [
      {
        name: 'rest',
        surface: {
          matches: () => true,
          handle: (request, response, call) => {
            calls.push(call);
            if (request.url === '/busy') {
              throw new MeridianError('RESOURCE_EXHAUSTED', 'too many loads', { reason: 'loads' });
            }
            if (request.url === '/defect') throw new Error('a defect');
            response.end('yes');
            return undefined;
          },
        },
      },
    ],
    clock: systemClock,
    logger: loggerTo((level, _message, fields) => void lines.push([level, fields])),
    observer: { answered: () => {}, rejected: () => {} },
    exchangeMs: 5_000,
  });
  base = `http://${await listener.start('127.0.0.1', 0)}`;
});

afterEach(() => listener.stop(100));

const ask = async (path: string, id?: string) => {
  const response = await fetch(`${base}${path}`, { headers: id === undefined ? {} : { 'x-request-id': id } });
  await response.text();
  return [response.status, response.headers.get('x-request-id')];
};

it('gives a request’s id back with every answer, and takes it along', async () => {
  expect(await ask('/', 'order-17/a')).toEqual([200, 'order-17/a']);
  expect(await ask('/busy', 'order-18')).toEqual([429, 'order-18']);
  expect(calls.map(({ requestId }) => requestId)).toEqual(['order-17/a', 'order-18']);
});

it('makes one for whom brings none, or one that would garble a log', async () => {
  const ids = [await ask('/'), await ask('/', 'with space'), await ask('/', 'x'.repeat(129))].map(([, id]) => id);
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
});

it('writes a line a request where that is asked for, and one for a defect in any case', async () => {
  await ask('/?key=not-to-be-logged', 'order-19');
  await ask('/defect', 'order-20');
  const of = (id: string) => lines.filter(([, fields]) => fields?.['requestId'] === id);
  expect(of('order-19')).toEqual([
    ['debug', { method: 'GET', surface: 'rest', status: 200, elapsedMs: expect.any(Number), requestId: 'order-19' }],
  ]);
  expect(of('order-20').map(([level, fields]) => [level, fields?.['status']])).toEqual([
    ['error', undefined],
    ['debug', 500],
  ]);
  expect(JSON.stringify(lines)).not.toContain('not-to-be-logged');
});
