import type { MethodDefinition } from '@grpc/grpc-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Change, Changes, FeedEvent, FollowOpen } from '../../../src/model/feed.ts';
import { parseNamespaceId } from '../../../src/model/namespace.ts';
import { parseLogId, parseMemberId } from '../../../src/model/position.ts';
import { parseStamp } from '../../../src/model/stamp.ts';
import type { WireFollowResponse } from '../../../src/rpc/codec/feed-codec.ts';
import { EventAssembler, eventMessages } from '../../../src/rpc/codec/feed-messages.ts';
import { decodeOpen, encodeOpen, type WireFollowRequest } from '../../../src/rpc/codec/follow-codec.ts';
import { pieceBytesMax, services } from '../../../src/rpc/proto.ts';

const follow = services.feed.service.Follow as MethodDefinition<WireFollowRequest, WireFollowResponse>;
const loader = {
  serialize: (message: WireFollowResponse) => follow.responseSerialize(message),
  deserialize: (bytes: Buffer) => follow.responseDeserialize(bytes),
};
type WireChange = Readonly<Record<string, unknown>>;

function hex<T>(bytes: number, parse: (text: string) => T | undefined): fc.Arbitrary<T> {
  return fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((drawn) => {
    const parsed = parse(Buffer.from(drawn).toString('hex'));
    if (parsed === undefined) throw new Error('hex digits are refused');
    return parsed;
  });
}

const log = hex(8, parseLogId);
const member = hex(8, parseMemberId);
const namespace = hex(16, parseNamespaceId);
const stamp = hex(16, parseStamp);
const sequence = fc.maxSafeNat();
const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 });
const vector = fc.array(fc.tuple(log, sequence), { maxLength: 4 }).map((entries) => new Map(entries));
const step = fc.record({ vector, stable: vector });
const opening = fc.record({ log, opened: stamp });
const node = fc.record(
  {
    name: fc.string(),
    role: fc.constantFrom('origin' as const, 'edge' as const),
    id: log,
    region: fc.string(),
    location: fc.tuple(fc.double({ noNaN: true }), fc.double({ noNaN: true })),
  },
  { requiredKeys: ['name', 'role', 'id', 'region'] },
);

const written = { namespace, key, stamp, position: fc.record({ log, sequence }), expiresAt: fc.nat(4_000_000_000) };
const must = ['kind', 'namespace', 'key', 'stamp', 'position'] as const;
const metadata = fc.json({ maxDepth: 1 });
const value = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));
const change = fc.oneof(
  fc.record({ kind: fc.constant('live' as const), ...written, value, metadata }, { requiredKeys: [...must, 'value'] }),
  fc.record({ kind: fc.constant('tombstone' as const), ...written }, { requiredKeys: [...must] }),
  fc.record(
    { kind: fc.constant('announcement' as const), ...written, metadata, valueBytes: fc.nat(25 * 1024 * 1024) },
    { requiredKeys: [...must, 'valueBytes'] },
  ),
);
const recordKey = fc.record({ namespace, key });
const lost = fc.record({ namespace, key, position: fc.record({ log, sequence }) });

const reasons = ['below-floor', 'beyond-seal', 'void-log', 'void-progress', 'asked'] as const;
const reason = fc.constantFrom(...reasons);

const event: fc.Arbitrary<FeedEvent> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('opened' as const),
      node,
      nonce: fc.string(),
      clusterId: fc.string(),
      generation: fc.string(),
      opening,
      wallMs: fc.nat(),
    },
    { requiredKeys: ['kind', 'node', 'nonce', 'clusterId', 'generation', 'wallMs'] },
  ),
  fc.record({ kind: fc.constant('resync' as const), reason }),
  fc.record(
    {
      kind: fc.constant('changes' as const),
      records: fc.array(change, { maxLength: 5 }),
      step,
      token: fc.string(),
      range: fc.record({ after: recordKey, through: recordKey }, { requiredKeys: [] }),
      committedAtMs: fc.nat(),
      lost: fc.record({ records: fc.array(lost, { minLength: 1, maxLength: 3 }), upTo: vector }),
    },
    { requiredKeys: ['kind', 'records'] },
  ),
  fc.record({ kind: fc.constant('caught-up' as const), vector, stable: vector, floor: vector }),
  fc.record(
    {
      kind: fc.constant('echo' as const),
      id: fc.nat(),
      wallMs: fc.nat(),
      bound: fc.record({ boundMs: fc.nat(), root: log }),
    },
    { requiredKeys: ['kind', 'id', 'wallMs'] },
  ),
);

/** The event as a follower has it, and the bytes of each of its messages. */
function overTheWire(sent: FeedEvent): { readonly received: FeedEvent | undefined; readonly sizes: readonly number[] } {
  const assembler = new EventAssembler(loader);
  const sizes: number[] = [];
  let received: FeedEvent | undefined;
  for (const bytes of eventMessages(sent, loader)) {
    sizes.push(bytes.length);
    received = assembler.take(bytes);
  }
  return { received, sizes };
}

/** A change as the loader of .proto files has it: a value that is whole. */
function wireOf(sent: Change): WireChange {
  const { kind, namespace, key, stamp, position, expiresAt } = sent;
  const head = { namespace, key, stamp, position, ...(expiresAt === undefined ? {} : { expiresAt }) };
  if (kind === 'tombstone') return { ...head, tombstone: true };
  const described = { ...head, ...(sent.metadata === undefined ? {} : { metadata: sent.metadata }) };
  if (kind === 'announcement') return { ...described, announcement: true, valueBytes: sent.valueBytes };
  return { ...described, value: sent.value, valueBytes: sent.value.byteLength };
}

/** Without what the loader adds: the names of oneofs, and defaults. */
function plain(wire: WireChange): WireChange {
  const fields = Object.entries(wire).filter(([name, value]) => {
    return name !== 'form' && !name.startsWith('optional') && value !== null && value !== 0 && value !== undefined;
  });
  return Object.fromEntries(fields);
}

function liveOf(sizes: readonly number[]): Changes {
  const id = parseNamespaceId('a'.repeat(32));
  const from = parseLogId('b'.repeat(16));
  const version = parseStamp('c'.repeat(32));
  if (id === undefined || from === undefined || version === undefined) throw new Error('hex digits are refused');
  const records = sizes.map((size, index) => ({
    kind: 'live' as const,
    namespace: id,
    key: `k${index}`,
    stamp: version,
    position: { log: from, sequence: index + 1 },
    value: Buffer.alloc(size, `${index}`),
  }));
  return { kind: 'changes', records, token: 'closes the event' };
}

const mib = pieceBytesMax;

describe('the messages of the feed', () => {
  it('carry every event as it was', () => {
    fc.assert(
      fc.property(event, (sent) => {
        expect(overTheWire(sent).received).toEqual(sent);
      }),
    );
  });

  it.each([
    [[mib]],
    [[mib + 1]],
    [[3 * mib]],
    [[25 * mib]],
    [[mib - 1, mib - 1]],
    [[10, 2 * mib + 5, 10, mib, 0, mib + 1]],
    [Array.from({ length: 40 }, () => mib / 8)],
  ])('put values of %j bytes together again, from messages of little more than 1 MiB', (sizes) => {
    const sent = liveOf(sizes);
    const { received, sizes: messages } = overTheWire(sent);
    if (received?.kind !== 'changes') throw new Error('no event came');
    expect(received.token).toBe('closes the event');
    expect(received.records).toHaveLength(sizes.length);
    for (const [index, record] of sent.records.entries()) {
      const other = received.records[index];
      if (record.kind !== 'live' || other?.kind !== 'live') throw new Error('not live');
      expect(Buffer.compare(record.value, other.value)).toBe(0);
    }
    expect(Math.max(...messages)).toBeLessThan(2 * mib + 4096);
  });

  it('are what the loader of .proto files reads and writes', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), step, (records, closes) => {
        const sent: Changes = { kind: 'changes', records, step: closes };
        const [bytes = Buffer.alloc(0)] = eventMessages(sent, loader);
        const read = loader.deserialize(bytes).changes as unknown as { readonly records: readonly WireChange[] };
        expect(read.records.map(plain)).toEqual(records.map(wireOf).map(plain));
        const { changes } = loader.deserialize(bytes);
        const written = { changes: { ...changes, records: records.map(wireOf) } } as unknown as WireFollowResponse;
        expect(new EventAssembler(loader).take(loader.serialize(written))).toEqual(sent);
      }),
    );
  });

  it('pass over what a later version adds, and refuse what is cut short or no message', () => {
    const [bytes = Buffer.alloc(0)] = eventMessages(liveOf([5]), loader);
    for (let end = 1; end < bytes.length; end++) {
      expect(() => new EventAssembler(loader).take(Buffer.from(bytes.subarray(0, end)))).toThrow();
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (drawn) => {
        try {
          new EventAssembler(loader).take(Buffer.from(drawn));
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });

  it('refuse an event that goes on while bytes of a value are missing', () => {
    const assembler = new EventAssembler(loader);
    const [first, , last] = [...eventMessages(liveOf([2 * mib]), loader)];
    if (first === undefined || last === undefined) throw new Error('too few messages');
    assembler.take(first);
    expect(() => assembler.take(last)).toThrow('malformed');
  });

  it('carry where a follower stands as it said', () => {
    const range = fc.oneof(
      fc.record({ namespace, prefix: fc.string() }),
      fc.constant({ namespace: '*' as const, prefix: '' }),
    );
    const ranges = fc.array(range, { maxLength: 3 });
    const open: fc.Arbitrary<FollowOpen> = fc.record(
      {
        protocol: fc.constant(2),
        protocolOldest: fc.integer({ min: 1, max: 2 }),
        node,
        nonce: fc.string(),
        clusterId: fc.string({ minLength: 1 }),
        role: fc.constantFrom('copy' as const, 'cache' as const, 'watch' as const, 'peer' as const),
        filter: fc.record({ includes: ranges, excludes: ranges }),
        values: fc.oneof(
          fc.constantFrom({ kind: 'all' as const }, { kind: 'none' as const }),
          fc.record({ kind: fc.constant('inline' as const), bytesMax: fc.nat() }),
        ),
        start: fc.oneof(
          fc.constantFrom({ kind: 'nothing' as const }, { kind: 'now' as const }, { kind: 'resync' as const }),
          fc.record({ kind: fc.constant('partial' as const), token: fc.string() }),
          fc.record(
            { kind: fc.constant('cursor' as const), cursor: vector, token: fc.string({ minLength: 1 }) },
            { requiredKeys: ['kind', 'cursor'] },
          ),
        ),
        opening,
        floor: vector,
        view: fc.record({
          members: fc.array(member, { maxLength: 4 }),
          removals: fc.array(fc.record({ member, enough: fc.boolean(), reports: fc.nat(), stamp }), { maxLength: 4 }),
        }),
      },
      { requiredKeys: ['protocol', 'protocolOldest', 'node', 'nonce', 'role', 'filter', 'values', 'start'] },
    );
    fc.assert(
      fc.property(open, (sent) => {
        const { open: wire } = follow.requestDeserialize(follow.requestSerialize(encodeOpen(sent)));
        expect(wire && decodeOpen(wire)).toEqual(sent);
      }),
    );
  });
});
