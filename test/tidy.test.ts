import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/**
 * The house rules that a compiler does not know: who may import whom, what stands in src/runtime alone, how large a
 * file may grow, how it is named. Sources are read as text; every complaint names the rule and the place.
 */
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** What each folder of src may import: other folders whole, folders whose types alone, packages. Its own is always allowed. */
const mayImport: Record<string, { folders: string[]; types?: string[]; packages?: RegExp; builtins?: boolean }> = {
  model: { folders: [], builtins: false },
  runtime: { folders: [], types: ['model'] },
  store: { folders: ['model', 'runtime'], packages: /^((classic|abstract)-level|pg)$/ },
  replication: { folders: ['model', 'runtime'], types: ['store'] },
  access: { folders: ['model', 'runtime'] },
  origin: { folders: ['model', 'runtime', 'replication', 'access'], types: ['store'] },
  edge: { folders: ['model', 'runtime', 'replication'], types: ['store'] },
  rpc: { folders: ['model', 'runtime'], packages: /^(@grpc\/|grpc-health-check$|protobufjs(\/|$))/ },
  backup: { folders: ['model', 'runtime', 'replication', 'rpc'], packages: /^aws4fetch$/ },
  http: { folders: ['model', 'runtime'] },
  resp: { folders: ['model', 'runtime'] },
  // Runs in a browser: of the node it has types alone, and what of the model needs nothing but the language.
  page: { folders: ['model'], types: ['http'], packages: /^(preact(\/hooks)?|virtual:land)$/, builtins: false },
  client: { folders: ['model', 'runtime', 'rpc', 'node'] },
  metrics: {
    folders: ['model', 'runtime'],
    types: ['replication', 'origin', 'edge', 'rpc', 'http', 'resp'],
    packages: /^prom-client$/,
  },
  config: { folders: ['model'], packages: /^yaml$/ },
  node: {
    folders: [
      'model',
      'runtime',
      'store',
      'replication',
      'origin',
      'edge',
      'rpc',
      'http',
      'resp',
      'client',
      'metrics',
      'config',
      'access',
      'backup',
    ],
    packages: /^(pino(-pretty)?$|@opentelemetry\/)/,
  },
  cli: {
    folders: ['config', 'node', 'client', 'model', 'runtime'],
    types: ['backup'],
    packages:
      /^(yargs(\/helpers)?|cli-progress|csv-parse(\/.*)?|fzstd|xxhash-wasm|yaml|@grpc\/grpc-js|protobufjs(\/.*)?)$/,
  },
};

/** What stands in src/runtime alone, and so can be replaced everywhere else. */
const bannedOutsideRuntime: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bDate\.now\b/, 'Date.now: take a Clock'],
  [/\bnew Date\(\s*\)/, 'new Date() without an argument: take a Clock'],
  [/\bperformance\.now\b/, 'performance.now: take a Clock'],
  [/(?<![.\w])set(Timeout|Interval|Immediate)\(/, 'a timer: take a Clock'],
  [/node:timers/, 'a timer: take a Clock'],
  [/\bMath\.random\b/, 'Math.random: take a Random'],
];

const bannedAnywhere: ReadonlyArray<readonly [RegExp, string]> = [
  [/^\s*export default\b/, 'a default export: name what is exported'],
  [/^\s*(export\s+)?(const\s+|declare\s+)*enum\s+\w/, 'an enum: use a union of strings'],
  [/(:\s*|<\s*|\bas\s+|\|\s*)any\b(?!['\w-])/, '`any`: use `unknown` and narrow it'],
  [/[\w)\]]!(\.|\[|\)|,|;|$)/, 'a non-null assertion: handle the absence, or assert it'],
  [/\bPromise\.withResolvers\b/, 'Promise.withResolvers: Node 20 does not have it'],
  [/^\s*export \* from/, 'a barrel: import the file that defines the thing'],
];

const fileLinesMax = 500;
const functionLinesMax = 40;

/** Constructors that decide nothing: they make the parts of a node and hand them to each other, from top to bottom. */
const wiringConstructors: readonly string[] = [
  'src/metrics/edge-metrics.ts',
  'src/metrics/replication-metrics.ts',
  'src/metrics/status-metrics.ts',
  'src/metrics/store-metrics.ts',
  'src/origin/origin-parts.ts',
];

/** What was longer when the limit was set. It is to be split; nothing is to be added. */
const toBeSplit: readonly string[] = [
  'src/node/start-edge.ts: startEdge',
  'src/node/start-origin.ts: startOrigin',
  'src/origin/peer-link.ts: constructor',
  'src/origin/rebuild.ts: copyAll',
  'src/replication/serving/subscription.ts: #catchUp',
  'src/rpc/server/kv-handlers.ts: kvHandlers',
  'src/rpc/server/watch-handler.ts: watchHandlers',
];

const forbiddenNames = /(^|-)(utils?|helpers?|common|misc|services?|types|managers?|index)(-|$)/;

interface Source {
  /** With forward slashes, from the root. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

function readSources(folder: string): Source[] {
  const absolute = join(root, folder);
  if (!existsSync(absolute)) return [];
  return readdirSync(absolute, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      const text = readFileSync(file, 'utf8');
      return { path: relative(root, file).split(sep).join('/'), text, lines: text.split('\n') };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

const sources = readSources('src');
const tests = readSources('test');

/** The line without what only looks like code: comments, and the insides of strings. */
function codeOf(line: string): string {
  if (/^\s*(\/\/|\/?\*)/.test(line)) return '';
  return line
    .replace(/'(?:[^'\\]|\\.)*'/g, "''")
    .replace(/"(?:[^"\\]|\\.)*"/g, '""')
    .replace(/`(?:[^`\\$]|\\.)*`/g, '``')
    .replace(/(?<=[(=,:[]\s*)\/(?![/*])(?:[^/\\\n]|\\.)+\/[dgimsuvy]*/g, '0')
    .replace(/\/\/.*$/, '');
}

interface NamedFunction {
  readonly name: string;
  /** The line where it begins, counted from 1. */
  readonly at: number;
  readonly lines: number;
}

const functionBegin =
  /^(\s*)(?:export )?(?:(?:async )?function\*? ?(\w+)|const (\w+)(?::[^=]+)? = (?:async )?(?:<.*>)?\(|((?:static |private |protected |public |override )*(?:async )?\*?(?:get |set )?#?\w+)(?:<.*>)?\()/;
const keywords = /^(if|for|while|switch|return|catch|await|throw|super|new|do|else|void|yield|typeof)\b/;

/**
 * Functions, methods, constructors and arrows that have a name, with their lines from the first of the signature to the
 * brace that ends the body. It stands where everything that was opened is closed, by itself in its line.
 */
function functionsOf(lines: readonly string[]): NamedFunction[] {
  const code = lines.map((line) =>
    codeOf(line)
      .replace(/\$\{[^{}`]*\}/g, '')
      .replace(/`[^`]*`/g, '``'),
  );
  return code.flatMap((line, index) => {
    const found = functionBegin.exec(line);
    const name = found?.[2] ?? found?.[3] ?? found?.[4]?.replace(/^.* \*?/, '');
    if (found === null || name === undefined || keywords.test(name)) return [];
    let depth = 0;
    for (let end = index; end < code.length; end++) {
      for (const character of code[end] ?? '') {
        if ('({['.includes(character)) depth++;
        if (')}]'.includes(character)) depth--;
      }
      if (depth > 0) continue;
      const isBody = end > index && new RegExp(`^${found[1]}\\};?$`).test(code[end] ?? '');
      return isBody ? [{ name, at: index + 1, lines: end - index + 1 }] : [];
    }
    return [];
  });
}

interface Import {
  readonly from: string;
  readonly typeOnly: boolean;
}

const importPattern = /^\s*(import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
const lazyPattern = /\bimport\('([^']+)'\)|new URL\('(\.[^']+\.ts)'/g;

function importsOf(text: string): Import[] {
  const plain = [...text.matchAll(importPattern)].map((match) => ({
    from: match[3] ?? '',
    typeOnly: match[2] !== undefined || /^\s*\w+\s+\{(\s*type\s[^,}]+,?)+\s*\}/.test(match[0]),
  }));
  const lazy = [...text.matchAll(lazyPattern)].map((match) => ({ from: match[1] ?? match[2] ?? '', typeOnly: false }));
  return [...plain, ...lazy].filter(({ from }) => from !== '');
}

function importComplaints({ path, text }: Source): string[] {
  const folder = path.split('/')[1] ?? '';
  const rule = mayImport[folder];
  if (rule === undefined) return [`${path}: the folder src/${folder} is not in the architecture's table`];
  return importsOf(text).flatMap(({ from, typeOnly }) => {
    if (from.startsWith('node:'))
      return rule.builtins === false ? [`${path}: src/${folder} imports nothing, but ${from}`] : [];
    if (!from.startsWith('.'))
      return rule.packages?.test(from) ? [] : [`${path}: src/${folder} may not import the package ${from}`];
    if (!/\.(tsx?|json)$/.test(from)) return [`${path}: imports end in .ts: ${from}`];
    const target = join(dirname(path), from).split(sep).join('/').split('/');
    if (target[0] !== 'src') return [`${path}: imports a file outside src: ${from}`];
    const other = target[1] ?? '';
    if (other === folder || rule.folders.includes(other) || (typeOnly && rule.types?.includes(other))) return [];
    const hint = rule.types?.includes(other) ? ' other than by `import type`' : '';
    return [`${path}: src/${folder} may not import src/${other}${hint} (${from})`];
  });
}

function lineComplaints(source: Source, banned: ReadonlyArray<readonly [RegExp, string]>): string[] {
  return source.lines.flatMap((line, index) =>
    banned.filter(([pattern]) => pattern.test(codeOf(line))).map(([, why]) => `${source.path}:${index + 1}: ${why}`),
  );
}

function unreachable(entries: readonly string[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const seen = new Set<string>();
  const visit = (path: string): void => {
    const source = byPath.get(path);
    if (source === undefined || seen.has(path)) return;
    seen.add(path);
    for (const { from } of importsOf(source.text)) {
      if (from.startsWith('.')) visit(join(dirname(path), from).split(sep).join('/'));
    }
  };
  for (const entry of entries) visit(entry);
  return sources.map(({ path }) => path).filter((path) => !seen.has(path));
}

/** The files of src that package.json names as commands and public entries, as built into dist. */
/** What the package offers, and the scripts of processes that it starts itself. */
function entryFiles(): string[] {
  const manifest = readFileSync(join(root, 'package.json'), 'utf8');
  const offered = [...manifest.matchAll(/"\.?\/?dist\/([^"]+)\.js"/g)].map((match) => `src/${match[1]}.ts`);
  const started = sources.flatMap(({ path, text }) => {
    return [...text.matchAll(/new URL\('([^']+)\.js', import\.meta\.url\)/g)].map(([, script = '']) => {
      return join(dirname(path), `${script}.ts`);
    });
  });
  return [...offered, ...started, 'src/page/main.tsx', 'src/page/virtual-land.d.ts'];
}

function committedTexts(): Array<readonly [string, string]> {
  const skipped = new Set(['node_modules', 'dist', 'coverage', '.git', '.meridian']);
  const walk = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => !skipped.has(entry.name) && !entry.name.endsWith('.log'))
      .flatMap((entry) => (entry.isDirectory() ? walk(join(folder, entry.name)) : [join(folder, entry.name)]));
  return walk('.').map((path) => [path, readFileSync(join(root, path), 'utf8')] as const);
}

describe('the tree', () => {
  it('imports only what the architecture table allows', () => {
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.flatMap(importComplaints)).toEqual([]);
  });

  it('takes time, timers and chance from src/runtime alone', () => {
    // The page's clocks and timers are the browser's.
    const outside = sources.filter(({ path }) => !/^src\/(runtime|page)\//.test(path));
    expect(outside.flatMap((source) => lineComplaints(source, bannedOutsideRuntime))).toEqual([]);
  });

  it('has no default exports, enums, any, non-null assertions or barrels', () => {
    expect([...sources, ...tests].flatMap((source) => lineComplaints(source, bannedAnywhere))).toEqual([]);
  });

  it('keeps every file within 500 lines', () => {
    const complaints = [...sources, ...tests]
      .filter(({ lines }) => lines.length - 1 > fileLinesMax)
      .map(({ path, lines }) => `${path}: ${lines.length - 1} lines, at most ${fileLinesMax}`);
    expect(complaints).toEqual([]);
  });

  it('keeps functions of src within 40 lines', () => {
    const wired = new Set(wiringConstructors);
    const complaints = sources.flatMap((source) =>
      functionsOf(source.lines)
        .filter(({ name, lines }) => lines > functionLinesMax && !(name === 'constructor' && wired.has(source.path)))
        .filter(({ name }) => !toBeSplit.includes(`${source.path}: ${name}`))
        .map(({ name, at, lines }) => `${source.path}:${at}: ${name} has ${lines} lines, at most ${functionLinesMax}`),
    );
    expect(complaints).toEqual([]);
    expect(wiringConstructors.filter((path) => !sources.some((source) => source.path === path))).toEqual([]);
  });

  it('names files in kebab-case, after what they hold', () => {
    const complaints = [...sources, ...tests].flatMap(({ path }) => {
      const names = path
        .replace(/(\.test|\.bench|\.test-d|\.d)?\.tsx?$/, '')
        .split('/')
        .slice(1);
      return names.flatMap((name) => {
        if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) return [`${path}: names are in kebab-case`];
        return forbiddenNames.test(name) ? [`${path}: "${name}" says nothing; name the file for its one concept`] : [];
      });
    });
    expect(complaints).toEqual([]);
  });

  it('uses every source file from a command or a public entry', () => {
    const entries = entryFiles();
    expect(entries.filter((entry) => !existsSync(join(root, entry)))).toEqual([]);
    expect(unreachable(entries).map((path) => `${path}: nothing uses it`)).toEqual([]);
  });

  it('commits neither paths of a machine nor hosts of a registry', () => {
    const machine = new RegExp(
      ['/wo' + 'rk/', '/ho' + 'me/[a-z]+/', '/Us' + 'ers/[A-Za-z]+/', 'registry\\.np' + 'mjs', 'arti' + 'factory'].join(
        '|',
      ),
    );
    const complaints = committedTexts().flatMap(([path, text]) => {
      const found = machine.exec(text);
      return found === null ? [] : [`${path}: names ${found[0]}`];
    });
    expect(complaints).toEqual([]);
  });

  it('locks versions without saying where they were fetched', () => {
    expect(readFileSync(join(root, 'package-lock.json'), 'utf8')).not.toContain('"resolved"');
  });
});

describe('the reader of sources', () => {
  it('sees imports of every form', () => {
    const text = [
      "import type { A } from './a.ts';",
      "import { type B, type C } from './b.ts';",
      "import { type D, d } from './d.ts';",
      'import {\n  e,\n  f,\n} from "nothing";',
      "import {\n  g,\n} from './g.ts';",
      "import './h.ts';",
      "const i = await import('./i.ts');",
    ].join('\n');
    expect(importsOf(text).map(({ from, typeOnly }) => `${from} ${typeOnly}`)).toEqual([
      './a.ts true',
      './b.ts true',
      './d.ts false',
      './g.ts false',
      './h.ts false',
      './i.ts false',
    ]);
  });

  it('complains of each thing that is banned, and not of text about it', () => {
    const complain = (line: string) =>
      lineComplaints({ path: 'x', text: line, lines: [line] }, [...bannedOutsideRuntime, ...bannedAnywhere]).length;
    const bad = [
      'Date.now();',
      'new Date();',
      'setTimeout(f, 1);',
      'Math.random();',
      'const a: any = 1;',
      'b!.c();',
      'export default x;',
    ];
    expect(bad.filter((line) => complain(line) === 0)).toEqual([]);
    const good = [
      '// Date.now',
      "const s = 'Math.random()';",
      'if (a != b) c();',
      'clock.setTimeout(1);',
      'new Date(ms);',
      '!a.b',
      ' * any of: any',
    ];
    expect(good.filter((line) => complain(line) > 0)).toEqual([]);
  });

  it('complains of an import that the table forbids', () => {
    const complaints = (path: string, text: string) => importComplaints({ path, text, lines: [] }).length;
    expect(complaints('src/edge/a.ts', "import { Origin } from '../origin/origin.ts';")).toBe(1);
    expect(complaints('src/edge/a.ts', "import { LevelStore } from '../store/level-store.ts';")).toBe(1);
    expect(complaints('src/edge/a.ts', "import type { Store } from '../store/store.ts';")).toBe(0);
    expect(complaints('src/model/a.ts', "import { join } from 'node:path';")).toBe(1);
    expect(complaints('src/origin/a.ts', "import { Level } from 'classic-level';")).toBe(1);
  });

  it('finds functions of every form, with all their lines, and nothing that only calls one', () => {
    const text = `export async function* plain({ a }: { readonly a: string }) {
  if (a === '}') {
    return;
  }
}

const arrow = (a: number) => {
  call(a, () => {
    return a;
  });
};

export class Some<T> {
  readonly #field = { a: 1 };

  constructor(
    private readonly options: { readonly a: string },
  ) {
    super();
  }

  get size(): number {
    return 1;
  }

  static async open<T>(options: T): Promise<{ readonly some: Some<T> }> {
    return { some: new Some(options) };
  }

  async *#events(): AsyncGenerator<string> {
    for (const a of [1]) {
      yield \`{\${a}\`;
    }
  }
}

interface Other {
  method(
    a: string,
  ): void;
}

it('calls', () => {
  nothing();
});
`;
    expect(functionsOf(text.split('\n')).map(({ name, at, lines }) => `${name} ${at} ${lines}`)).toEqual([
      'plain 1 5',
      'arrow 7 5',
      'constructor 16 5',
      'size 22 3',
      'open 26 3',
      '#events 30 5',
    ]);
  });
});
