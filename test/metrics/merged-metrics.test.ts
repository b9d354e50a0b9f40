import { expect, it } from 'vitest';
import { mergeMetrics } from '../../src/metrics/merged-metrics.ts';
import { NodeMetrics } from '../../src/metrics/node-metrics.ts';
import { silentLogger } from '../../src/runtime/logger.ts';
import { systemClock } from '../../src/runtime/system-clock.ts';

it('no metric of a process is left out where it is merged', async () => {
  const metrics = new NodeMetrics({ clock: systemClock, logger: silentLogger });
  metrics.label('keeper');
  const { text } = await metrics.scrape(undefined);
  const merged = await mergeMetrics([structuredClone(await metrics.json(undefined))]);
  metrics.stop();
  const namesIn = (of: string) => [...of.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name).sort();
  expect(namesIn(merged.text)).toEqual(namesIn(text));
});

it('the metrics of several processes are one text, in which each series says whose it is', async () => {
  const all = await Promise.all(
    ['keeper', 'worker-1'].map(async (name, index) => {
      const metrics = new NodeMetrics({ clock: systemClock, logger: silentLogger });
      metrics.label(name);
      metrics.http.answered('rest', 200, 3 + index);
      metrics.http.answered('rest', 200, 3 + index);
      const json = structuredClone(await metrics.json(undefined));
      metrics.stop();
      return json;
    }),
  );
  const { contentType, text } = await mergeMetrics(all);
  expect(contentType).toMatch(/^text\/plain/);
  const lines = text.split('\n');
  for (const name of ['keeper', 'worker-1']) {
    const counts = lines.filter((line) => line.startsWith('meridian_http_') && line.includes(`process="${name}"`));
    expect(counts.filter((line) => /_count\{.*\} 2$/.test(line))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith(`process_cpu_seconds_total{process="${name}"}`))).toHaveLength(1);
  }
  const types = lines.filter((line) => line.startsWith('# TYPE '));
  expect(new Set(types).size).toBe(types.length);
});
