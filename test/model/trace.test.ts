import { expect, it } from 'vitest';
import { isTraceparent } from '../../src/model/trace.ts';

const ids = '4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7';

it('takes a traceparent of version 00 as it is, of a later one with more fields too', () => {
  const taken = [`00-${ids}-01`, `01-${ids}-01`, `cc-${ids}-00-what-is-new`];
  expect(taken.filter((text) => !isTraceparent(text))).toEqual([]);
});

it('takes none that W3C Trace Context refuses', () => {
  const zeroTrace = `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`;
  const zeroSpan = `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`;
  const refused = [
    `00-${ids}-01-more`,
    `ff-${ids}-01`,
    zeroTrace,
    zeroSpan,
    `00-${ids.toUpperCase()}-01`,
    `00-${ids}`,
    '',
  ];
  expect(refused.filter(isTraceparent)).toEqual([]);
});
