import type { Rule } from '../../../src/model/rules.ts';

/** What shows that a rule is missed: a scripted history, or a search through seeds. */
export interface Missed {
  /** A scripted history that shows it, where random ones reach it too rarely. */
  readonly history?: string;
  /** A seed that shows it, known from an earlier run: the search begins there. */
  readonly seed?: number;
  /** The topology that seeds are run in, by its name; one origin where none is named. A history has its own. */
  readonly topology?: string;
  /** The file and the name of a unit test that shows it, where another rule steps in wherever histories lead. */
  readonly test?: readonly [file: string, name: string];
  /** What must be violated; anything where it is not said. */
  readonly expected?: RegExp;
}

/** Every rule that has a switch. */
export const rulesTakenOut: Readonly<Record<Rule, Missed>> = {
  'R1 synced first': {},
  'R2 the state is read again': { seed: 60 },
  'R2 nothing is told in doubt': {
    test: [
      'test/replication/ledger.test.ts',
      'tells nothing until the store is open again, not even that a namespace is unknown',
    ],
  },
  'R2 streams begin again': { history: 'a store that fails beside the feed' },
  'R3 one batch': {},
  'R4 progress is not coverage': {
    test: ['test/replication/scan.test.ts', 'a token claims no more of a log than its server covers'],
  },
  'R4 progress holds at its server': { history: 'a scan that goes on elsewhere' },
  'R5 a follower is given all': { history: 'an origin that is followed while it scans' },
  'R5 each advance is a step': { history: 'an origin that passes on what it scans' },
  'R6 scopes': { seed: 5 },
  'R6 a relay serves what it holds whole': { history: 'a relay of a part' },
  'R7 a resync replaces': { topology: 'relays' },
  'R7 what was not shown goes': {},
  'R8 no delta from below the floor': { seed: 3 },
  'R8 a purge raises the floor': { seed: 3 },
  'R8 a peer is asked again after a purge': {
    test: [
      'test/origin/peer-sink.test.ts',
      'takes nothing more where the peer may have lost what was purged, until it has asked it again',
    ],
  },
  'R8 the floor is handed on': { history: 'a relay that begins after a deletion was purged' },
  'R8 what only it has is brought back': { history: 'an origin that is put back behind a purge' },
  'R8 what is old is kept apart': { history: 'a removed origin that comes back with what was deleted' },
  'R8 where nobody serves it takes its store up again': { history: 'two members that wait for each other' },
  'hot: a commit replaces': {},
  'hot: what was overtaken is not kept': {
    test: [
      'test/replication/hot-records.test.ts',
      'keep nothing of a look that a commit overtook, and let nobody who comes later wait for it',
    ],
  },
  'hot: nothing outlives its store': { history: 'a commit that fails and is on the disk' },
  'R9 expiry in place': { history: 'expired while the copy was away' },
  'R9 expiry by the root': { history: 'edges whose clocks are wrong' },
  'R9 a clock is as old as its question': { topology: 'lone', seed: 60_000_222 },
  'R9 what is dropped waits': { history: 'an origin whose clock jumps ahead for a moment' },
  'R10 echo order': { history: 'an echo that overtakes the data' },
  'R10 the bound of the arrival': { history: 'an echo that waits while its relay catches up' },
  'R11 the merge rule': { topology: 'several' },
  'R12 loads listen': { history: 'a load that the feed overtakes' },
  'R13 no resync between': { history: 'a load across a resync' },
  'R13 responder covers': { history: 'a cache refilled from a lagging upstream' },
  'R14 an origin waits for the session': { history: 'a session that reads where its write has not come' },
  'R14 a lost log by proof': { topology: 'several' },
  'R14 a cut by proof': { topology: 'relays', seed: 1_500_000_834 },
  'R14 later than the session': { history: 'a session that writes where the clock is behind' },
  'R14 no session from the future': { history: 'a session from the future' },
  'R14 a condition waits for its session': { history: 'a condition of a session that is ahead of the home' },
  'R14 an absence counts': { history: 'an absence that is asked for again where the key still is' },
  'R14 what was shown counts': {},
  'R14 what is held answers for the session': {},
  'R14 a record stands in for its own log': { topology: 'several' },
  'R14 an edge cuts no session': {
    test: ['test/replication/logs.test.ts', 'is also what lies beyond a seal, or in a void log'],
  },
  'R15 stamps rise': { history: 'a clock that steps back' },
  'R15 what was seen counts': { topology: 'several' },
  'R15 clocks are compared': { history: 'a clock that is far ahead' },
  'R16 a copy stops': { history: 'a disk that is copied' },
  'R16 one with peers never founds': { history: 'an origin that is told of peers which are away' },
  'R16 who begins to serve names its opening': {
    test: [
      'test/origin/put-back.test.ts',
      'stops the earlier opening also where the later one lies below the floor of a peer, and begins anew first',
    ],
  },
  'R17 a relay serves once it has caught up': { history: 'a relay that is followed before it has caught up' },
  'R17 truth before service': { history: '"not found" during the first scan' },
  'R18 the data go': { seed: 3 },
  'R18 nothing comes for a dead namespace': { history: 'data that come late for a dead namespace' },
  'R18 an end is taken again': {
    test: ['test/replication/replica.test.ts', 'takes the deletion of a namespace again that it covers'],
  },
  'R19 purge by proof': { history: 'a deletion that an origin away has yet to hear of' },
  'R19 who was not heard covers nothing': {
    history: 'a deletion that an origin away has yet to hear of, after a restart',
  },
  'R19 a copy takes what is stable': { history: 'a copy that goes on at an origin that was away' },
  'R19 who is admitted catches up first': { history: 'an origin that is let in and hears slowly' },
  'R19 a majority has served who is admitted': {
    test: ['test/origin/several-origins.test.ts', 'lets a new one serve once a majority has let it follow them'],
  },
  'R19 one peer fills a member': { topology: 'several', seed: 5_700_124 },
  'R19 one opening fills a member': { topology: 'several', seed: 40_000_382 },
  'R20 already covered': {
    test: ['test/replication/replica.test.ts', 'drops a change at a position that it covers and holds nothing of'],
  },
  'R21 resync is private': { history: 'a relay that resyncs under its followers' },
  'R22 sealing waits for all': { topology: 'several' },
  'R22 a void seal is made again': { seed: 20_037, topology: 'several' },
  'R22 all are asked again': { history: 'a log that comes to light again' },
  'R22 nothing of an earlier opening': {
    test: [
      'test/origin/peer-sink.test.ts',
      'a member takes nothing more of an opening once it has heard of a later one',
    ],
  },
  'R22 void logs': { topology: 'relays' },
  'R22 enough reports': {
    test: ['test/origin/removal.test.ts', 'is waited for until what a survivor reports of it is here, and no longer'],
  },
  'R22 who reported takes nothing more': {
    test: ['test/origin/removal.test.ts', 'has nothing taken from it any more by who reported, also after a restart'],
  },
  'R22 one initiator': { history: 'two removals of one origin' },
  'R22 what was reported is covered': { history: 'a removal of who was to bring what another left' },
  'R23 a member lowers its claim': { history: 'what a survivor that was away has of a removed origin' },
  'R23 what lies beyond is written again': { history: 'what a survivor that was away has of a removed origin' },
  'R23 an edge begins anew': { history: 'a copy of what nobody else has' },
  'R23 an edge hangs up': { history: 'edges that go over to a removed origin' },
  'R23 a load hears of seals': { history: 'edges that go over to a removed origin' },
  'folding: by what the rest implies': { topology: 'several' },
  'folding: up to the seal': { topology: 'several' },
  'watches: a step behind what was shown': { history: 'a watch that moves while it is shown what is scanned' },
  'homes: the new one covers its move': { history: 'a home that has yet to hear of what was decided' },
  'homes: the old one decides nothing behind the move': { history: 'a condition behind the move of its home' },
  'homes: decided at one': { history: 'a title that is claimed twice' },
  'conditions are looked at': { seed: 2 },
  'durability is counted': { history: 'a majority that is not reached' },
  'damage: each peer is asked in time': {
    test: [
      'test/origin/damaged-records.test.ts',
      'has it back from one peer where another one has yet to hear of the write, and waits for it',
    ],
  },
  'caches: a broken first scan is forgotten': { history: 'a cache whose first scan breaks off' },
  'caches: what is superseded is past': { seed: 2 },
  'engine: a commit compares the lease': { topology: 'engine', seed: 35 },
  'engine: the count tells what became of a commit': { topology: 'engine', seed: 3 },
  'engine: who may have lost the lease answers nothing': { topology: 'engine', seed: 57 },
};

export function isRule(name: string): name is Rule {
  return name in rulesTakenOut;
}
