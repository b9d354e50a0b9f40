import type { SeededRandom } from '../support/seeded-random.ts';
import type { VirtualTime } from '../support/virtual-time.ts';
import type { EdgeProcess, OriginProcess, Process } from './cluster.ts';
import type { History } from './history.ts';

export interface Stage {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly history: History;
  readonly origin: OriginProcess;
  readonly edges: readonly EdgeProcess[];
}

/** Breaks one thing, and mends it after a while; some absences outlast the retention. */
export function injectFault({ time, random, history, origin, edges }: Stage): void {
  const edge = edges[random.between(0, edges.length - 1)];
  const lastsMs = random.chance(0.3) ? random.between(700, 1500) : random.between(10, 200);
  const which = random.between(0, 7);
  const note = (line: string) => history.note(time.nowMs, `fault: ${line} for ${lastsMs} ms`);
  if (edge === undefined) return;
  if (which <= 2) {
    edge.link.state = which === 0 ? 'half' : 'cut';
    note(`link of ${edge.name} ${edge.link.state}`);
    time.at(lastsMs, () => {
      edge.link.state = 'up';
    });
  } else if (which <= 4) {
    const wiped = random.chance(0.3);
    if (!restart(edge, time, { lastsMs, wiped })) return;
    note(`${edge.name} crashes${wiped ? ', disk wiped' : ''}`);
  } else if (which === 5) {
    if (restart(origin, time, { lastsMs: Math.min(lastsMs, 300), wiped: false })) note('origin crashes');
  } else if (which === 6) {
    const [disk] = origin.disks;
    if (disk !== undefined) disk.nextCommitFails = random.chance(0.5) ? 'lost' : 'kept';
    note('the next commit of the origin fails');
  } else {
    const process = random.chance(0.5) ? origin : edge;
    process.stepClock(random.between(-30, 30));
    note('a clock steps');
  }
}

function restart<N>(process: Process<N>, time: VirtualTime, how: { lastsMs: number; wiped: boolean }): boolean {
  if (process.running === undefined) return false;
  process.crash();
  if (how.wiped) for (const disk of process.disks) disk.wipe();
  time.at(how.lastsMs, () => void process.start());
  return true;
}
