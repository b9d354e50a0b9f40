import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ChildNode } from '../../src/cli/demo/child-node.ts';
import { isMeridianError } from '../../src/model/errors.ts';
import { meridianScript, ProcessCluster, placeOf } from './process-cluster.ts';

const adminToken = 'the-administrator-of-the-system-tests';
const cluster = new ProcessCluster();
const run = promisify(execFile);

let origin: ChildNode;
let peer: ChildNode;
let edge: ChildNode;
let app: string;

const fileWith = (name: string, text: string): string => {
  const path = join(cluster.folder, name);
  writeFileSync(path, `${text}\n`);
  return path;
};
const issue = async (...flags: string[]): Promise<string> => {
  const words = ['token', 'create', '--endpoint', placeOf(origin.grpc), ...flags];
  const { stdout } = await run(process.execPath, [meridianScript, ...words], {
    env: { ...process.env, MERIDIAN_TOKEN: adminToken },
  });
  return stdout.trim();
};
const eventually = async <T>(ask: () => Promise<T>): Promise<T> => {
  for (let left = 300; ; left--) {
    try {
      return await ask();
    } catch (error) {
      if (left === 0 || !isMeridianError(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
};

/** A cluster that anybody could reach: each node asks for tokens, and presents its own. */
beforeAll(async () => {
  const admin = fileWith('admin', adminToken);
  const flags = ['--admin-token-file', admin];
  origin = await cluster.start('origin', 'iad', { flags: [...flags, '--token-file', admin] });
  const [ofOrigin, ofEdge] = [
    await issue('--name', 'origins', '--rights', 'replicate,admin'),
    await issue('--name', 'edges', '--rights', 'replicate'),
  ];
  const [originFile, edgeFile] = [fileWith('of-origin', ofOrigin), fileWith('of-edge', ofEdge)];
  const others = ['--peer', placeOf(origin.grpc), '--token-file', originFile];
  peer = await cluster.start('origin', 'lhr', { flags: [...flags, ...others] });
  edge = await cluster.start('edge', 'fra', {
    flags: [...flags, '--upstream', placeOf(peer.grpc), '--token-file', edgeFile, '--replicate', 'copied'],
  });
  await cluster.connect(origin, { token: adminToken }).namespaces.create('config');
  await cluster.connect(origin, { token: adminToken }).namespaces.create('copied');
  app = await issue('--name', 'app', '--namespace', 'co*', '--rights', 'read,write,list,watch');
});

afterAll(() => cluster.close());

describe('a cluster that asks for tokens', () => {
  it('knows a token at every node, and passes writes on in the name of their caller', async () => {
    for (const node of [edge, peer, origin]) {
      for (const title of ['config', 'copied']) {
        const namespace = cluster.connect(node, { token: app }).namespace(title);
        await eventually(() => namespace.put(`by ${placeOf(node.grpc)}`, placeOf(node.grpc)));
        expect(await namespace.get(`by ${placeOf(node.grpc)}`)).toBe(placeOf(node.grpc));
      }
    }
    // The edge's own token may not write, so what it passed on was believed for the caller's sake.
    const ofEdge = cluster.connect(origin, { token: await issue('--name', 'like an edge', '--rights', 'replicate') });
    await expect(ofEdge.namespace('config').put('k', 'v')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    const condition = cluster.connect(peer, { token: app }).namespace('config');
    await condition.put('once', 'v', { ifAbsent: true });
  });

  it('refuses strangers at every node, and administers through any', async () => {
    for (const node of [edge, peer, origin]) {
      const stranger = cluster.connect(node).namespace('config');
      await expect(stranger.get('k')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
      const admin = cluster.connect(node, { token: adminToken });
      const { text } = await admin.tokens.create({ name: `through ${placeOf(node.grpc)}`, rights: ['list'] });
      const listing = cluster.connect(node, { token: text }).namespace('config');
      await eventually(() => listing.list());
      expect((await admin.tokens.revoke(`through ${placeOf(node.grpc)}`)).length).toBe(1);
    }
  });

  it('ends a watch at an edge, and its token everywhere, when that is revoked at an origin', async () => {
    const token = await issue('--name', 'short lived', '--namespace', 'config', '--rights', 'read,watch');
    const client = cluster.connect(edge, { token });
    await eventually(() => client.namespace('config').get('k'));
    let seen = 0;
    const watched = (async () => {
      for await (const _change of client.namespace('config').watch({ fromStart: true })) seen++;
    })();
    while (seen === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const ended = expect(watched).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await cluster.connect(origin, { token: adminToken }).tokens.revoke('short lived');
    await ended;
    await expect(client.namespace('config').get('k')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('checks tokens at an edge that is cut off, and takes no refusal of the edge itself for an answer', async () => {
    const mine = cluster.connect(edge, { token: app }).namespace('config');
    await mine.put('held', 'value');
    expect(await mine.get('held')).toBe('value');
    await cluster.connect(origin, { token: adminToken }).tokens.revoke('edges');
    // What was never read here must be loaded, which the upstream refuses the edge, and not its caller.
    let refused: unknown;
    for (let tries = 0; tries < 1000 && refused === undefined; tries++) {
      refused = await mine.get(`never read ${tries}`).then(
        () => undefined,
        (error: unknown) => error,
      );
    }
    expect(refused).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'upstream-refuses' } });
    expect(await mine.get('held')).toBe('value');
    const stranger = cluster.connect(edge, { token: app.replace(/.$/, (last) => (last === '0' ? '1' : '0')) });
    await expect(stranger.namespace('config').get('held')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});
