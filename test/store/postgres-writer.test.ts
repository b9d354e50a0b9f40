import { beforeEach, describe, expect, it } from 'vitest';
import { databaseError } from '../support/database-error.ts';
import { connectionLost, type Fate, ScriptedDatabase, settled, slices, writerOver } from './scripted-database.ts';

const isFence = (text: string) => text.includes('commits = commits + 1');
const isTakeOver = (text: string) => text.includes('SET lease = $1');

describe('the writer of a database', () => {
  let database: ScriptedDatabase;
  const run = <T>(promise: Promise<T>) => settled(database.time, promise);
  const pass = (ms: number) => database.time.runUntil(database.time.nowMs + ms);
  /** What befalls the first statements of a kind; then nothing more does. */
  const first = (is: (text: string) => boolean, ...fates: Fate[]) => {
    return (text: string) => (is(text) ? fates.shift() : undefined);
  };

  beforeEach(() => {
    database = new ScriptedDatabase();
  });

  async function taken(holder = 'iad') {
    const opened = writerOver(database, holder);
    expect(await run(opened.writer.take())).toBe('taken');
    return opened;
  }

  it.each([
    ['a lost connection', connectionLost],
    ['a broken pipe, whose code is as long as a SQLSTATE', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })],
    ['a server that goes down', databaseError('57P01')],
  ])('looks up a commit that ended by %s, and acknowledges it where it happened', async (_what, error) => {
    const { writer } = await taken();
    database.fate = first(isFence, { after: error }, { before: error });
    await run(writer.commit(1, slices()));
    await run(writer.commit(1, slices()));
    expect(database.row.commits).toBe(2);
    await run(writer.close());
  });

  it.each(['53100', '53200', '53400', '53300', '42501'])(
    'looks further where the look-up itself is answered by %s, which tells nothing of the commit',
    async (code) => {
      const { writer } = await taken();
      const retaken = first(isTakeOver, { before: databaseError(code) }, { before: databaseError(code) });
      const cut = first(isFence, { after: connectionLost });
      database.fate = (text) => cut(text) ?? retaken(text);
      await run(writer.commit(1, slices()));
      expect(database.row.commits).toBe(1);
      await run(writer.close());
    },
  );

  it.each([
    ['a commit', 'commit'],
    ['a change of the stores', 'change'],
  ] as const)(
    'begins nothing more once nobody knows what became of %s, until the count was read',
    async (_what, by) => {
      const { writer, told } = await taken();
      const full = databaseError('53100');
      const cut = first(isFence, { after: connectionLost });
      database.fate = (text) => cut(text) ?? (isTakeOver(text) ? { before: full } : undefined);
      const made = by === 'commit' ? writer.commit(1, slices()) : writer.change((stores) => stores);
      const unsettled = { code: 'UNAVAILABLE', details: { reason: 'store-unsettled' } };
      await expect(run(made)).rejects.toMatchObject(unsettled);
      const before = database.asked.filter(isFence).length;
      await expect(run(writer.commit(1, slices()))).rejects.toMatchObject(unsettled);
      await expect(run(writer.takeAgain())).rejects.toMatchObject(unsettled);
      database.fate = () => undefined;
      await expect(run(writer.commit(1, slices()))).rejects.toMatchObject(unsettled);
      expect(database.asked.filter(isFence)).toHaveLength(before);
      await run(writer.takeAgain());
      await run(writer.commit(1, slices()));
      expect([database.row.commits, told]).toEqual([2, []]);
      await run(writer.close());
    },
  );

  it('never acknowledges a commit that the fence refused, and tells no loss where the count is higher', async () => {
    const { writer, told, lost } = await taken();
    await run(writer.commit(1, slices()));
    database.row.commits++; // One that nobody acknowledged.
    const refused = { code: 'UNAVAILABLE', details: { reason: 'store-unsettled' } };
    await expect(run(writer.commit(1, slices()))).rejects.toMatchObject(refused);
    await run(writer.takeAgain());
    await run(writer.commit(1, slices()));
    expect([database.row.commits, told, lost]).toEqual([3, [], []]);
    await run(writer.close());
  });

  it('tells how many acknowledged commits are missing, once, and does nothing more', async () => {
    const { writer, told, lost } = await taken();
    for (let n = 0; n < 3; n++) await run(writer.commit(1, slices()));
    database.row.commits = 1;
    await expect(run(writer.commit(1, slices()))).rejects.toMatchObject({
      details: { reason: 'store-tail-lost', seen: 2 },
    });
    await expect(run(writer.takeAgain())).rejects.toMatchObject({ details: { reason: 'store-tail-lost' } });
    await expect(run(writer.commit(1, slices()))).rejects.toMatchObject({ details: { reason: 'store-tail-lost' } });
    expect([told, lost, writer.holds, database.row.commits]).toEqual([[2], ['store-tail-lost'], false, 1]);
    await run(writer.close());
    expect(database.row.holder).toBe('');
  });

  it('leaves no connection open on which it cannot read what tables there are', async () => {
    const { writer } = writerOver(database);
    database.fate = first((text) => text.includes('.about'), { before: databaseError('57014') });
    await expect(run(writer.take())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(database.open).toBe(0);
    expect(await run(writer.take())).toBe('taken');
    await run(writer.close());
    expect(database.open).toBe(0);
  });

  it('is refused what has no room, and goes on', async () => {
    const { writer } = await taken();
    database.fate = first(isFence, { before: databaseError('53100') });
    await expect(run(writer.commit(1, slices()))).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await run(writer.commit(1, slices()));
    expect(database.row.commits).toBe(1);
    await run(writer.close());
  });

  it('gives up a commit that the database breaks off again and again, and goes on', async () => {
    const { writer } = await taken();
    database.fate = (text) => (isFence(text) ? { before: databaseError('40P01') } : undefined);
    await expect(run(writer.commit(1, slices()))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(database.asked.filter(isFence)).toHaveLength(6);
    database.fate = () => undefined;
    await run(writer.commit(1, slices()));
    await run(writer.close());
  });

  it.each([
    ['commit', isFence],
    ['change', isFence],
    ['look-up', isTakeOver],
  ] as const)('looks further where a %s is answered with a warning', async (by, isIt) => {
    const { writer } = await taken();
    const warned = first(isIt, { warns: true });
    const cut = by === 'look-up' ? first(isFence, { after: connectionLost }) : () => undefined;
    database.fate = (text) => cut(text) ?? warned(text);
    await run(by === 'change' ? writer.change((stores) => stores) : writer.commit(1, slices()));
    expect(database.row.commits).toBe(1);
    expect(database.asked.filter(isTakeOver).length).toBe(by === 'look-up' ? 3 : 2);
    await run(writer.close());
  });

  it('goes on after an outage longer than a commit may take', async () => {
    const { writer, lost } = await taken();
    const made = writer.commit(1, slices());
    database.isAway = true;
    await expect(run(made)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(run(writer.takeAgain())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await pass(60_000);
    expect(writer.holds).toBe(false);
    database.isAway = false;
    await pass(5_000);
    expect(writer.holds).toBe(true);
    await run(writer.takeAgain());
    await run(writer.commit(1, slices()));
    expect(lost).toEqual([]);
    await run(writer.close());
  });

  it('says that it lost the lease where another one took it during an outage', async () => {
    const { writer, lost } = await taken();
    const made = writer.commit(1, slices());
    database.isAway = true;
    await expect(run(made)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(run(writer.takeAgain())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    Object.assign(database.row, { lease: 'ff', holder: 'other 1', untilMs: database.nowMs + 600_000 });
    database.isAway = false;
    await pass(10_000);
    expect([lost, writer.holds]).toEqual([['lease-lost'], false]);
    await expect(run(writer.takeAgain())).rejects.toMatchObject({ details: { reason: 'lease-lost' } });
    expect(lost).toHaveLength(1);
    await run(writer.close());
  });

  it('is not taken over by a standby while it renews, whatever the clock of the database says', async () => {
    const { writer, leaseMs } = await taken();
    const standby = writerOver(database, 'standby').writer;
    database.clockMs = 0;
    for (let n = 0; n < 40; n++) {
      database.row.untilMs = Math.min(database.row.untilMs, database.nowMs - 1 - n);
      expect(await run(standby.take())).toMatchObject({ holder: 'iad' });
      await pass(leaseMs / 8);
    }
    database.isAway = true;
    await pass(leaseMs * 2);
    database.isAway = false;
    await run(writer.close());
    expect(await run(standby.take())).toBe('taken');
    await run(standby.close());
  });

  it('is taken over once its row did not change for a lease', async () => {
    Object.assign(database.row, { lease: 'ff', holder: 'killed 1', untilMs: -1 });
    const { writer, leaseMs } = writerOver(database);
    expect(await run(writer.take())).toMatchObject({ holder: 'killed' });
    await pass(leaseMs - 1_000);
    expect(await run(writer.take())).toMatchObject({ holder: 'killed' });
    await pass(1_000);
    expect(await run(writer.take())).toBe('taken');
    await run(writer.close());
  });

  it('is taken over once its row did not change for as long as any lease lasts, where the clock of the database went back', async () => {
    Object.assign(database.row, { lease: 'ff', holder: 'killed 1', untilMs: 3_600_000 });
    const { writer } = writerOver(database);
    for (const ms of [0, 30_000, 29_000]) {
      await pass(ms);
      expect(await run(writer.take())).toMatchObject({ holder: 'killed' });
    }
    await pass(1_000);
    expect(await run(writer.take())).toBe('taken');
    await run(writer.close());
  });

  it.each([
    ['counts less than was acknowledged', { commits: 1 }, 'store-tail-lost'],
    ['is held by another process', { lease: 'ff' }, 'lease-lost'],
  ])('reads nothing from a server where the row %s, and finds out at once', async (_what, differs, reason) => {
    const { writer, lost } = await taken();
    for (let n = 0; n < 2; n++) await run(writer.commit(1, slices()));
    const sound = await database.connect();
    expect(await run(writer.checked(sound))).toBe(sound);
    Object.assign(database.row, differs);
    const client = await database.connect();
    await expect(run(writer.checked(client))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect([client.isEnded, lost, writer.holds]).toEqual([true, [reason], false]);
    await run(writer.close());
  });

  it('takes its own take-over that nobody answered for its own', async () => {
    const { writer } = writerOver(database);
    database.fate = first(isTakeOver, { after: connectionLost });
    await expect(run(writer.take())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await run(writer.take())).toBe('taken');
    await run(writer.commit(1, slices()));
    await run(writer.close());
  });

  it('counts a commit of several statements last, and keeps the lease however long these take', async () => {
    const { writer, leaseMs, lost } = await taken();
    const from = database.asked.length;
    const isPart = (text: string) => text.startsWith('WITH') && !isFence(text);
    database.fate = (text) => (isPart(text) ? { waitMs: leaseMs * 0.9 } : undefined);
    const made = writer.commit(1, slices(5));
    for (let n = 0; n < 30; n++) {
      await pass(leaseMs / 10);
      expect(writer.holds).toBe(true);
      expect(database.row.untilMs).toBeGreaterThan(database.nowMs);
    }
    await run(made);
    const order = database.asked.slice(from).filter((text) => isPart(text) || isFence(text) || text === 'COMMIT');
    expect(order.map((text) => text.split(' ')[0])).toEqual([
      'WITH',
      'WITH',
      'WITH',
      'WITH',
      'WITH',
      'UPDATE',
      'COMMIT',
    ]);
    expect([database.row.commits, lost]).toEqual([1, []]);
    await run(writer.close());
  });

  it('takes the lease from itself at the address that was announced since, also where nobody answered the announcement', async () => {
    const { writer } = await taken();
    for (const [address, fate] of [
      ['db:1', undefined],
      ['db:2', { before: connectionLost }],
    ] as const) {
      database.fate = first((text) => text.includes('SET address'), ...(fate === undefined ? [] : [fate]));
      const announced = run(writer.announce(address)).then(
        () => 'done',
        () => 'failed',
      );
      expect(await announced).toBe(fate === undefined ? 'done' : 'failed');
      database.fate = first(isFence, { after: connectionLost });
      await run(writer.commit(1, slices()));
      expect(database.row.address).toBe(address);
    }
    await run(writer.close());
  });

  it('gives the lease back when it is closed: another one takes it at once', async () => {
    const { writer } = await taken();
    await run(writer.close());
    await run((await taken('next')).writer.close());
    expect(database.row.holder).toBe('');
  });
});
