import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from 'prom-client';

/** What one process measures, as it travels to another. */
export type MetricsJson = ReadonlyArray<MetricObjectWithValues<MetricValue<string>>>;

/**
 * One text of what several processes measure. Each has its name as the label `process` on every series (`NodeMetrics.label`),
 * so that nothing is added up that would count twice (what a worker loads the keeper reads), and a counter that begins anew
 * with its process is seen to.
 */
export async function mergeMetrics(
  all: readonly MetricsJson[],
): Promise<{ readonly contentType: string; readonly text: string }> {
  // No two have a series in common. Some, such as the time of a process's start, would be left out as nothing to add up.
  const each = all.map((metrics) => metrics.map((metric) => ({ ...metric, aggregator: 'first' as const })));
  const merged = AggregatorRegistry.aggregate(each);
  return { contentType: merged.contentType, text: await merged.metrics() };
}
