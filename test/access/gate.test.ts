import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Gate } from '../../src/access/gate.ts';
import { hashOfToken, newToken, tokenIdOf } from '../../src/access/token-text.ts';
import { emptySession } from '../../src/model/session.ts';
import { systemRandom } from '../../src/runtime/random.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';
import { instead } from '../http/workers/served-origin.ts';
import { aCall, upstreamWith } from '../rpc/loopback.ts';
import { adminToken, type GuardedOrigin, openGuardedOrigin } from './guarded-origin.ts';

let guarded: GuardedOrigin;

beforeAll(async () => {
  guarded = await openGuardedOrigin();
  await guarded.origin.create('config');
});

afterAll(() => guarded.close());

const enter = (authorization: string | undefined, address: string, gate = guarded.gate) => {
  return gate.enter({ authorization, address });
};
const failureOf = (authorization: string | undefined, address: string) => {
  try {
    enter(authorization, address);
  } catch (error) {
    const { code, message, details } = error as { code: string; message: string; details: object };
    return { code, message, details };
  }
  return undefined;
};

describe('the gate of a node', () => {
  it("takes the administrator's token and those that were issued, with the scheme in any case", async () => {
    const token = await guarded.issue({ rights: ['read'] });
    for (const text of [`Bearer ${token}`, `bearer ${token}`, `BEARER  ${token} `, `Bearer ${adminToken}`]) {
      expect(failureOf(text, 'a')).toBeUndefined();
    }
  });

  it('answers alike to an unknown id, a wrong secret, another form, and a token that was revoked', async () => {
    const token = await guarded.issue({ name: 'revoked' });
    await guarded.origin.revokeToken('revoked');
    const valid = await guarded.issue({});
    const wrongSecret = valid.slice(0, -1) + (valid.endsWith('0') ? '1' : '0');
    const texts = [
      newToken(systemRandom).text,
      wrongSecret,
      valid.toUpperCase(),
      `${valid}0`,
      valid.slice(0, -1),
      token,
      `${adminToken}x`,
      'x',
      valid.replace('mdn', 'mdm'),
    ];
    const failures = texts.map((text, index) => failureOf(`Bearer ${text}`, `198.51.100.${index}`));
    expect(failures[0]).toEqual({
      code: 'UNAUTHENTICATED',
      message: 'the token is not valid',
      details: { reason: 'token-not-valid' },
    });
    for (const failure of failures) expect(failure).toEqual(failures[0]);
  });

  it('asks for a token where none comes, or one of another scheme', async () => {
    for (const text of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Basic abc',
      adminToken,
      `Bearer ${adminToken} ${adminToken}`,
    ]) {
      expect(failureOf(text, 'b'), text).toMatchObject({
        code: 'UNAUTHENTICATED',
        details: { reason: 'token-missing' },
      });
    }
  });

  it('bounds failures by address, an IPv6 network being one, and lets whoever proves himself in all the same', async () => {
    const failures = (address: string, count: number) => {
      return Array.from({ length: count }, () => failureOf('Bearer wrong', address)?.code);
    };
    expect(failures('203.0.113.7', 20)).toEqual(new Array(20).fill('UNAUTHENTICATED'));
    expect(failureOf('Bearer wrong', '203.0.113.7')).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      details: { reason: 'too-many-failures', retryAfterMs: expect.any(Number) },
    });
    expect(failures('203.0.113.8', 1)).toEqual(['UNAUTHENTICATED']);
    expect(failureOf(`Bearer ${adminToken}`, '203.0.113.7')).toBeUndefined();
    for (let host = 1; host <= 20; host++) failures(`2001:db8:1:2::${host.toString(16)}`, 1);
    expect(failures('2001:db8:1:2:ffff::1', 1)).toEqual(['RESOURCE_EXHAUSTED']);
    expect(failures('2001:db8:1:3::1', 1)).toEqual(['UNAUTHENTICATED']);
  });

  it('tells nobody that his token is wrong while it does not know the tokens', () => {
    const source = { knowsTokens: () => false, token: () => undefined, namespace: () => undefined };
    const clock = systemClock;
    const gate = new Gate({ upstream: upstreamWith({}), source, clock, adminHash: () => hashOfToken(adminToken) });
    expect(() => enter(`Bearer ${newToken(systemRandom).text}`, 'c', gate)).toThrow(/does not know the tokens/);
    expect(() => enter(`Bearer ${adminToken}`, 'c', gate)).not.toThrow();
    expect(() => enter('Bearer wrong', 'c', gate)).toThrow(/not valid/);
  });

  it('ends what was let in once its token is revoked, rotated or expired, and the old administrator with his file', async () => {
    const get = (upstream: ReturnType<typeof enter>) => {
      return upstream.get({ namespace: 'config', key: 'k', session: emptySession }, aCall());
    };
    const ended = { code: 'UNAUTHENTICATED', details: { reason: 'token-ended' } };
    const revoked = guarded.as(await guarded.issue({ name: 'to revoke' }));
    await get(revoked);
    await guarded.origin.revokeToken('to revoke');
    await expect(get(revoked)).rejects.toMatchObject(ended);
    const rotated = guarded.as(await guarded.issue({ name: 'to rotate' }));
    const { text } = await guarded.origin.rotateToken({ name: 'to rotate', graceMs: 0 });
    await expect(get(rotated)).rejects.toMatchObject(ended);
    await get(guarded.as(text));
    let laterMs = 0;
    const clock = { ...systemClock, wallMs: () => systemClock.wallMs() + laterMs };
    let hash = hashOfToken(adminToken);
    const gate = new Gate({ upstream: guarded.origin, source: guarded.origin, clock, adminHash: () => hash });
    const expiring = enter(`Bearer ${await guarded.issue({ lifeMs: 60_000 })}`, 'd', gate);
    const admin = enter(`Bearer ${adminToken}`, 'd', gate);
    await get(expiring);
    await get(admin);
    laterMs = 120_000;
    hash = hashOfToken('another-administrator');
    await expect(get(expiring)).rejects.toMatchObject(ended);
    await expect(get(admin)).rejects.toMatchObject(ended);
  });

  it('lets nobody in whose token is revoked while the name of his namespace is asked for', async () => {
    const { origin } = guarded;
    const token = await guarded.issue({ name: 'meanwhile', namespace: 'config', rights: ['read'] });
    const { id } = await origin.find('config');
    let asked = 0;
    const upstream = instead(origin, 'find', async (...name) => {
      asked++;
      await origin.revokeToken('meanwhile');
      return origin.find(...name);
    });
    // As at an edge that has yet to hear of the namespace.
    const source = {
      knowsTokens: () => true,
      token: (of: string) => origin.token(of),
      namespace: () => undefined,
    };
    const gate = new Gate({ upstream, source, clock: systemClock, adminHash: () => undefined });
    const reader = enter(`Bearer ${token}`, 'h', gate);
    const reading = reader.get({ namespace: id, key: 'k', session: emptySession }, aCall());
    await expect(reading).rejects.toMatchObject({ details: { reason: 'token-ended' } });
    expect(asked).toBe(1);
  });

  it('makes texts that name their id and that nobody can guess', () => {
    const texts = new Set(Array.from({ length: 1000 }, () => newToken(systemRandom).text));
    expect(texts.size).toBe(1000);
    for (const text of texts) expect(text).toMatch(/^mdn_[0-9a-f]{16}_[0-9a-f]{64}$/);
    const { id, text } = newToken(systemRandom);
    expect(tokenIdOf(text)).toBe(id);
  });
});
