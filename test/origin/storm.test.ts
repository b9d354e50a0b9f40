import { describe, expect, it } from 'vitest';
import type { FollowerMessage, FollowOpen } from '../../src/model/feed.ts';
import { everything } from '../../src/model/filter.ts';
import { silentReplicationObserver } from '../../src/replication/observer.ts';
import { OriginGroup } from './origin-group.ts';

const followers = 64;
const records = 200;

describe('a storm of followers that all come back at once', () => {
  it('reads only what each lacks, a few scans at a time, and holds one snapshot a scan', async () => {
    const scans = { running: 0, most: 0, whole: 0, records: 0 };
    const group = new OriginGroup();
    const origin = await group.open('a', [], {
      scansMax: 3,
      scanRecordsMax: 50,
      observer: {
        ...silentReplicationObserver,
        scanStarted: (kind) => {
          scans.running++;
          scans.most = Math.max(scans.most, scans.running);
          if (kind === 'records') scans.whole++;
        },
        scanEnded: (_kind, seen) => {
          scans.running--;
          scans.records += seen;
        },
      },
    });
    await group.until(origin.create('ns', group.call()));
    for (let i = 0; i < records; i++) await group.put('a', `k${i}`, 'v');
    const behind = origin.covered;
    await group.put('a', 'the one commit', 'v');

    const caughtUp = Array.from({ length: followers }, (_, i) => untilCaughtUp(i));
    await group.until(Promise.all(caughtUp));
    expect(scans).toMatchObject({ whole: 0, records: followers });
    expect(scans.most).toBeLessThanOrEqual(3);
    expect(group.disk('a').snapshotsOpen).toBe(0);

    async function untilCaughtUp(i: number): Promise<void> {
      const ended = new AbortController();
      const open: FollowOpen = {
        protocol: 2,
        node: { name: `e${i}`, role: 'edge', id: `${i}`, region: 'r' },
        nonce: `${i}`,
        role: 'copy',
        filter: everything,
        values: { kind: 'all' },
        start: { kind: 'cursor', cursor: behind },
      };
      for await (const event of origin.follow(open, none(), ended.signal)) {
        // Each reads slowly, so that places are really waited for.
        await group.time.wait(1);
        if (event.kind === 'caught-up') break;
      }
      ended.abort();
    }
  });
});

/** A follower that never probes. */
async function* none(): AsyncGenerator<FollowerMessage> {}
