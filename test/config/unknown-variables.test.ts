import { expect, test } from 'vitest';
import { variableOf } from '../../src/config/option.ts';
import { options } from '../../src/config/options.ts';
import { unknownVariables } from '../../src/config/unknown-variables.ts';

test('variables that no option knows are named, in order', () => {
  const environment = {
    MERIDIAN_REGOIN: 'x',
    MERIDIAN_PEERS: 'a:1',
    PATH: '/bin',
    MERIDIANS: '1',
    MERIDIAN_REGION: 'y',
  };
  expect(unknownVariables(environment)).toEqual(['MERIDIAN_PEERS', 'MERIDIAN_REGOIN']);
});

test('variables of every option, and those that Kubernetes sets for a service of that name, are not', () => {
  const names = [
    ...Object.values(options).map(variableOf),
    ...['MERIDIAN_CONFIG', 'MERIDIAN_SERVICE_HOST', 'MERIDIAN_SERVICE_PORT', 'MERIDIAN_SERVICE_PORT_GRPC'],
    ...['MERIDIAN_PORT', 'MERIDIAN_PORT_7100_TCP', 'MERIDIAN_PORT_7100_TCP_ADDR', 'MERIDIAN_EDGE_SERVICE_HOST'],
  ];
  expect(unknownVariables(Object.fromEntries(names.map((name) => [name, '1'])))).toEqual([]);
});
