import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const folder = 'src/store/postgres';

/** What the store's SQL does without, each with why. */
const banned: ReadonlyArray<readonly [RegExp, string]> = [
  [
    /\b(CREATE|ALTER) SEQUENCE\b|\bnextval\b|\b(big|small)?serial\b|GENERATED\b.*\bIDENTITY/i,
    'a number is drawn before its commit shows',
  ],
  [/\b(UN)?LISTEN\b|\bNOTIFY\b|pg_notify/, 'what is told is lost with its connection, and CockroachDB has none'],
  [/advisory/i, 'an advisory lock goes with its session, and in CockroachDB it does nothing'],
  [/\bxmin\b|\bxid8?\b|txid_|pg_current_xact|pg_snapshot/i, 'transaction numbers are not in the order of commits'],
  [/logical_slot|pg_logical|\bPUBLICATION\b|\bREPLICATION SLOT\b|wal_level/i, 'the feed is ours'],
  [/\bnow\(\)|\bCURRENT_TIMESTAMP\b|transaction_timestamp/i, 'the time of a transaction is not the time of its commit'],
  [
    /\bDECLARE\b.*\bCURSOR\b|\bOFFSET\b/,
    'pages go by keys: a cursor holds a transaction, an offset reads what it skips',
  ],
];

/** The texts in which a file speaks SQL: strings and templates, not comments. */
function sqlIn(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
  return [...code.matchAll(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g)].map(([text]) => text);
}

describe("the store's SQL", () => {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  const texts = files.flatMap((name) =>
    sqlIn(readFileSync(join(folder, name), 'utf8')).map((text) => [name, text] as const),
  );

  it('is found', () => {
    expect(texts.some(([, text]) => text.includes('INSERT INTO'))).toBe(true);
    expect(texts.some(([, text]) => text.includes('clock_timestamp()'))).toBe(true);
  });

  it.each(banned.map(([pattern, why]) => [pattern.source, pattern, why] as const))(
    'does without /%s/',
    (_name, pattern) => {
      expect(texts.filter(([, text]) => pattern.test(text)).map(([name, text]) => `${name}: ${text}`)).toEqual([]);
    },
  );

  it('asks the clock for nothing but when a lease ends, and who was heard of lately', () => {
    const timed = texts.filter(([, text]) => text.includes('clock_timestamp'));
    for (const [name, text] of timed) expect(`${name}: ${text}`).toMatch(/until|seen|VALUES \(1, ''/);
  });

  it.each([
    ['SEQUENCE', 'CREATE SEQUENCE a'],
    ['NOTIFY', "SELECT pg_notify('a', 'b')"],
    ['now()', 'UPDATE t SET at = now()'],
  ])('would be found out with %s', (_what, text) => {
    expect(banned.some(([pattern]) => pattern.test(text))).toBe(true);
  });
});
