import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve.ts';

const edge = (env: Record<string, string>) => resolveConfig('edge', { flags: { upstream: ['o:1'] }, env, file: {} });

describe('the options of traces', () => {
  it('name a collector, and a share of the requests', () => {
    expect(edge({})).toMatchObject({ otlpEndpoint: undefined, traceSampling: 0.01 });
    const given = { MERIDIAN_OTLP_ENDPOINT: 'https://collector:4318/base', MERIDIAN_TRACE_SAMPLING: '0.25' };
    expect(edge(given)).toMatchObject({ otlpEndpoint: 'https://collector:4318/base', traceSampling: 0.25 });
    expect([edge({ MERIDIAN_TRACE_SAMPLING: '0' }), edge({ MERIDIAN_TRACE_SAMPLING: '1' })]).toMatchObject([
      { traceSampling: 0 },
      { traceSampling: 1 },
    ]);
  });

  it.each(['1.5', '-0.1', '10%', '2', '.5'])('take no share of %s', (text) => {
    expect(() => edge({ MERIDIAN_TRACE_SAMPLING: text })).toThrow(
      /MERIDIAN_TRACE_SAMPLING must be a number from 0 to 1/,
    );
  });

  it.each(['collector:4318', 'ftp://collector', 'http://'])('take no collector at %s', (text) => {
    expect(() => edge({ MERIDIAN_OTLP_ENDPOINT: text })).toThrow(/MERIDIAN_OTLP_ENDPOINT must be a URL such as/);
  });
});
