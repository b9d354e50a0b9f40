import { sleep } from '../../runtime/clock.ts';
import { readHot } from './act-read.ts';
import { propagateOne } from './act-write.ts';
import { figuresOf, refreshStatus, type Stage, say, tableOf } from './stage.ts';

const liveIntervalMs = 1_000;
const lineIntervalMs = 10_000;

/** Keeps the cluster up under light traffic until the user stops it: a live table for a person, lines for a file. */
export async function goOn(stage: Stage): Promise<void> {
  const { cluster, terminal, clock, signal } = stage;
  await say(stage, 'the cluster stays up until Ctrl-C; talk to it from another terminal:');
  const { http } = cluster.origin;
  await say(stage, `  http://${http.host}:${http.port}/   # the page of the origin, in a browser`);
  const { host, port } = cluster.origin.grpc;
  await say(stage, `  npx meridian put flags beta on --endpoint ${host}:${port}`);
  for (const { name, edge } of cluster.regions) {
    const place = `${edge.grpc.host}:${edge.grpc.port}`;
    const page = `http://${edge.http.host}:${edge.http.port}/`;
    await say(stage, `  npx meridian get flags beta --verbose --endpoint ${place}   # ${name}; ${page}`);
  }
  let drawnLines = 0;
  for (let round = 0; !signal.aborted; round++) {
    for (const region of cluster.regions) await readHot(stage, region, 1);
    await propagateOne(stage, `tick-${round % 1000}`);
    await refreshStatus(stage);
    const text = tableOf(stage).trimEnd();
    if (terminal.interactive) {
      // Up over what was drawn before, and clear to the end of the screen.
      terminal.note(`${drawnLines > 0 ? `\u001b[${drawnLines}A\u001b[J` : ''}${text}`);
      drawnLines = text.split('\n').length;
    } else {
      for (const region of cluster.regions)
        figuresOf(stage, region).propagationMs = figuresOf(stage, region).propagationMs.slice(-100);
      await say(stage, text);
    }
    await sleep(clock, terminal.interactive ? liveIntervalMs : lineIntervalMs, signal);
  }
}
