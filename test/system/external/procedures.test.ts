import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { meridianScript } from '../process-cluster.ts';

const programs = [
  ['bash', '--version'],
  ['curl', '--version'],
  ['openssl', 'version'],
] as const;
const hasAll = programs.every(([program, flag]) => spawnSync(program, [flag]).status === 0);
if (!hasAll) console.warn('SKIPPED: needs bash, curl and openssl');

/** The commands of each section of the page, in their order. */
const procedures = new Map(
  readFileSync('docs/procedures.md', 'utf8')
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [title = ''] = section.split('\n');
      const blocks = [...section.matchAll(/^```sh\n(.*?)^```/gms)].map(([, commands = '']) => commands);
      return [title, blocks.join('')] as const;
    }),
);

/** What a procedure begins with, which the page takes for granted. */
const origin = (name: string, place: string, more = '') =>
  `meridian origin --name ${name} --data ./${name} --listen "$${place}" --http "$${place}_HTTP" ${more} > ${name}.log 2>&1 & ${place}_PID=$!
until curl --fail --silent "http://$${place}_HTTP/readyz"; do sleep 0.2; done
`;
const edge = `meridian edge --name ams --data ./ams --listen "$AMS" --http "$AMS_HTTP" --upstream "$FRA" --upstream "$IAD" --replicate '*' > ams.log 2>&1 &
until curl --fail --silent "http://$AMS_HTTP/readyz"; do sleep 0.2; done
`;
const data = `meridian namespace create flags --endpoint "$IAD"
for key in a b c; do meridian put flags $key "value of $key" --durability all --endpoint "$IAD"; done
`;
const two = origin('iad', 'IAD', '--advertise "$IAD"') + origin('fra', 'FRA', '--region eu --peer "$IAD"');
const admin = `openssl rand -hex 32 > admin-token
export MERIDIAN_TOKEN=$(cat admin-token)
`;

interface Followed {
  readonly before: string;
  /** What shows that it did what it says; it ends the script where it did not. */
  readonly after: string;
}

const followed: Readonly<Record<string, Followed>> = {
  'Add a region': {
    before: origin('iad', 'IAD', '--advertise "$IAD"') + data,
    after: `meridian member list --endpoint "$IAD" --json | grep '"name":"ams"'
[[ $(meridian get flags a --endpoint "$AMS") == 'value of a' ]]`,
  },
  'Lose an origin': {
    before: `${two}${data}kill -9 $FRA_PID
rm -rf fra
`,
    after: `[[ $(meridian get flags b --endpoint "$FRA") == 'value of b' ]]
[[ $(meridian member list --endpoint "$IAD" --json | wc -l) == 2 ]]`,
  },
  Restore: {
    before: two + edge + data,
    after: `[[ $(meridian get flags c --endpoint "$FRA") == 'value of c' ]]
until meridian diff flags --endpoint "$IAD" --to-endpoint "$AMS"; do sleep 1; done`,
  },
  'Bring back what was kept apart': {
    before: `${two}${data}id=$(meridian namespace list --json --endpoint "$IAD" | grep -o '[0-9a-f]\\{32\\}' | head -n 1)
for line in '"key":"a","deleted":true' '"key":"d","value":"ZA==","base64":true'; do
  echo "{\\"namespace\\":\\"$id\\",$line}" >> ./fra/kept-apart-m-0.ndjson
done
`,
    after: `[[ $(meridian get flags d --endpoint "$FRA") == d ]]
[[ $(meridian count flags --endpoint "$IAD") == 3 ]]
ls kept-apart-done/kept-apart-m-0.ndjson`,
  },
  'Rotate a certificate': {
    before: `meridian ca init
meridian ca issue iad --out tls
${origin('iad', 'IAD', '--tls-cert tls/iad.pem --tls-key tls/iad-key.pem --advertise "$IAD"').replaceAll('curl', 'curl --cacert ca/ca.pem').replaceAll('http://', 'https://')}`,
    after: 'kill -0 $IAD_PID',
  },
  'Rotate a token': {
    before: `${admin}${origin('iad', 'IAD', '--admin-token-file admin-token --advertise "$IAD"')}meridian namespace create flags --endpoint "$IAD"
meridian token create --name app --namespace flags --rights list --endpoint "$IAD" > old-token
`,
    after: `MERIDIAN_TOKEN=$(cat old-token) meridian list flags --endpoint "$IAD"
! meridian token list --endpoint "$IAD" --token "$MERIDIAN_TOKEN"`,
  },
  Upgrade: {
    before: two + edge + data,
    after: `meridian put flags a later --durability all --endpoint "$FRA"
[[ $(meridian get flags a --at-origin --endpoint "$AMS") == later ]]`,
  },
  'Move data between clusters': {
    before: `${two}${data}meridian namespace create flags-copy --endpoint "$IAD"
`,
    after: `[[ $(meridian count flags-copy --endpoint "$FRA") == 3 ]]`,
  },
};

describe.skipIf(!hasAll)('the procedures of the page, word for word', () => {
  let folder: string;
  let running: ChildProcess | undefined;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'meridian-procedures-'));
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'meridian'), `#!/bin/sh\nexec '${process.execPath}' '${meridianScript}' "$@"\n`);
    chmodSync(join(bin, 'meridian'), 0o755);
  });

  afterEach(() => {
    // With the nodes that it started, which are of its group.
    if (running?.pid !== undefined) process.kill(-running.pid, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  async function follow(script: string): Promise<{ code: number | null; said: string }> {
    const places: Record<string, string> = {};
    for (const name of ['IAD', 'IAD_HTTP', 'FRA', 'FRA_HTTP', 'AMS', 'AMS_HTTP']) {
      places[name] = `127.0.0.1:${await freePort()}`;
    }
    const path = `${join(folder, 'bin')}${delimiter}${process.env['PATH']}`;
    writeFileSync(join(folder, 'procedure.sh'), script);
    // The shell waits for its end, so that the group is there until it is killed.
    const child = spawn('bash', ['-c', 'bash -xeuo pipefail ./procedure.sh; echo "ended with $?"; sleep 600'], {
      cwd: folder,
      env: { ...process.env, ...places, PATH: path },
      detached: true,
    });
    running = child;
    let said = '';
    const code = await new Promise<number | null>((resolve) => {
      const hear = (chunk: Buffer) => {
        said += chunk.toString();
        const ended = /^ended with (\d+)$/m.exec(said);
        if (ended !== null) resolve(Number(ended[1]));
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.once('exit', resolve);
    });
    return { code, said };
  }

  it('are all followed here', () => {
    const withCommands = [...procedures].flatMap(([title, commands]) => (commands === '' ? [] : [title]));
    expect(withCommands.sort()).toEqual(Object.keys(followed).sort());
  });

  it.each(Object.entries(followed))('%s', async (title, { before, after }) => {
    const { code, said } = await follow(`${before}${procedures.get(title) ?? 'false'}${after}\n`);
    expect(code, said.slice(-6000)).toBe(0);
  });
});
