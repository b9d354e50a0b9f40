import { expect, it } from 'vitest';
import { expireInPlace } from '../../../src/model/record.ts';
import { RecordBodies } from '../../../src/rpc/codec/record-body.ts';
import { live } from '../../contract/sample-records.ts';

it('a record is encoded once, and shows to nobody that it was', () => {
  const bodies = new RecordBodies();
  const record = live({ key: 'k', sequence: 1, value: Buffer.from('v'), metadata: '1' });
  const body = bodies.of(record);
  expect(bodies.of(record)).toBe(body);
  expect(bodies.encodes).toBe(1);
  expect(record).toStrictEqual(live({ key: 'k', sequence: 1, value: Buffer.from('v'), metadata: '1' }));
  expect(Reflect.ownKeys({ ...record })).toEqual(Object.keys(record));
});

it('what is made of a record is encoded by itself', () => {
  const bodies = new RecordBodies();
  const record = live({ key: 'k', sequence: 1, value: Buffer.from('v'), metadata: '1' });
  bodies.of(record);
  const expired = expireInPlace(record);
  expect(bodies.of(expired).record).toBe(expired);
  const another = { ...record, metadata: '22' };
  expect(bodies.of(another).rest).not.toEqual(bodies.of(record).rest);
  expect(bodies.encodes).toBe(3);
});
