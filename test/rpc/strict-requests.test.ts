import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FieldShape, fieldType, type MessageShape, readFiles } from '../../src/rpc/file-descriptors.ts';
import { protoFiles } from '../../src/rpc/proto.ts';
import { aCall, openOrigin, overLoopback } from './loopback.ts';

/** Requests as another language's library could send them: bytes that nobody looked at. */
let client: Client;
let stored: () => Promise<readonly string[]>;
const closing: Array<() => Promise<void> | void> = [];

beforeAll(async () => {
  const { origin, close } = await openOrigin();
  closing.push(close);
  await origin.create('books');
  stored = async () => {
    const page = { namespace: 'books', prefix: '', limit: 1000, session: { vector: new Map(), stamp: '' as never } };
    return (await origin.list(page, aCall())).keys.map(({ key }) => key);
  };
  const loopback = await overLoopback(origin);
  closing.push(() => loopback.close());
  client = new Client(loopback.address, credentials.createInsecure());
  closing.push(() => client.close());
});

afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

interface Refused {
  readonly code: number;
  readonly details: string;
}

const asItIs = (bytes: Buffer) => bytes;

/** What the method answers to these bytes; the first error ends it. */
function send({ path, clientStreaming, serverStreaming }: Method, bytes: Buffer): Promise<Refused> {
  return new Promise((resolve, reject) => {
    const refused = (error: unknown) => resolve(error as Refused);
    const answered = (error: unknown) => (error === null ? reject(new Error('it was taken')) : refused(error));
    if (clientStreaming && serverStreaming) {
      const stream = client.makeBidiStreamRequest(path, asItIs, asItIs);
      stream.on('error', refused).on('end', () => reject(new Error('it ended')));
      stream.resume().write(bytes);
    } else if (clientStreaming) {
      client.makeClientStreamRequest(path, asItIs, asItIs, new Metadata(), answered).write(bytes);
    } else if (serverStreaming) {
      const stream = client.makeServerStreamRequest(path, asItIs, asItIs, bytes, new Metadata());
      stream.on('error', refused).resume();
    } else client.makeUnaryRequest(path, asItIs, asItIs, bytes, new Metadata(), answered);
  });
}

interface Method {
  readonly path: string;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
  readonly input: MessageShape;
}

const files = readFiles(protoFiles);
const messages = new Map(
  files.flatMap(({ messageType }) =>
    messageType.flatMap((message) => [
      [message.name, message] as const,
      ...message.nestedType.map((inner) => [`${message.name}.${inner.name}`, inner] as const),
    ]),
  ),
);
const shapeOf = (typeName: string) => messages.get(typeName.replace('.meridian.v1.', ''));

const methods: Method[] = files.flatMap((file) =>
  file.service.flatMap((service) =>
    service.method.map(({ name, inputType, clientStreaming = false, serverStreaming = false }) => ({
      path: `/${file.package}.${service.name}/${name}`,
      clientStreaming,
      serverStreaming,
      input: shapeOf(inputType) ?? { name, field: [], nestedType: [], enumType: [], oneofDecl: [] },
    })),
  ),
);

const varint = (value: number) => (value < 128 ? [value] : [(value % 128) + 128, value >>> 7]);

const field = (number: number, content: Buffer) => {
  expect(content.length).toBeLessThan(128);
  return Buffer.concat([Buffer.from([...varint(number * 8 + 2), content.length]), content]);
};

/** Every text in a message, by its path, with bytes of the message in which that text alone is broken. */
function* brokenTexts({ field: fields }: MessageShape): Generator<readonly [string, Buffer]> {
  for (const { name, number, type, typeName = '' } of fields as readonly FieldShape[]) {
    if (type === fieldType.string) yield [name, field(number, Buffer.from('caf\xff', 'latin1'))];
    const inner = type === fieldType.message ? shapeOf(typeName) : undefined;
    if (inner === undefined) continue;
    for (const [path, bytes] of brokenTexts(inner)) yield [`${name}.${path}`, field(number, bytes)];
  }
}

const cases = methods.flatMap((method) =>
  [...brokenTexts(method.input)].map(([path, bytes]) => ({ method, name: `${method.path} ${path}`, path, bytes })),
);

describe('a request with a text that is no UTF-8', () => {
  it('is looked for in every method that has texts', () => {
    expect(cases.length).toBeGreaterThan(40);
    expect(cases.map(({ name }) => name)).toContain('/meridian.v1.KV/Write mutation.put.metadata');
    expect(cases.map(({ name }) => name)).toContain('/meridian.v1.KV/Get session.vector.sequences.key');
  });

  it.each(cases)('is refused: $name', async ({ method, path, bytes }) => {
    expect(await send(method, bytes)).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: `${path} is no UTF-8: byte 4 is 0xff`,
    });
  });

  it('stores nothing, and not as another key either', async () => {
    const put = methods.find(({ path }) => path.endsWith('KV/Put'));
    expect(put).toBeDefined();
    for (const key of ['raw\xff', 'raw\xfe', 'raw\xed\xa0\x80']) {
      const bytes = Buffer.concat([field(1, Buffer.from('books')), field(2, Buffer.from(key, 'latin1'))]);
      if (put) expect(await send(put, bytes)).toMatchObject({ code: status.INVALID_ARGUMENT });
    }
    expect(await stored()).toEqual([]);
  });

  it('is looked for behind groups and unknown fields as well', async () => {
    const get = methods.find(({ path }) => path.endsWith('KV/Get'));
    expect(get).toBeDefined();
    // Field 15: a group that begins and ends; then 8 bytes, 4 bytes, a varint and a text that nobody knows.
    const unknown = Buffer.from('7b7c7900000000000000007d00000000788001', 'hex');
    const bytes = Buffer.concat([unknown, field(15, Buffer.from([0xff])), field(2, Buffer.from([0xff]))]);
    if (get) expect(await send(get, bytes)).toMatchObject({ details: 'key is no UTF-8: byte 1 is 0xff' });
  });

  it('is not hidden behind a number that goes on beyond the end of its message', async () => {
    const get = methods.find(({ path }) => path.endsWith('KV/Get'));
    if (get === undefined) throw new Error('no method');
    const options = Buffer.from([0x1a, 2, 0x10, 0xff]);
    // The end of that number to a decoder, and to whoever stops where the message ends a tag of eight bytes: the key.
    const key = Buffer.from([0x61, 0x12, 2, 0xff, 0xff]);
    const message = Buffer.concat([
      Buffer.from([0x0a, 5]),
      Buffer.from('books'),
      options,
      key,
      Buffer.from([0x1a, 2, 0x10, 0]),
    ]);
    expect(await send(get, message)).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('cut short'),
    });
  });

  it.each([
    ['tag', 'fa8080808000'],
    ['length', '7a848080808000'],
    ['number', '1a0810818080808000080012ffff'],
  ])('is not hidden behind a %s of more bytes than it has', async (_, hex) => {
    const get = methods.find(({ path }) => path.endsWith('KV/Get'));
    if (get === undefined) throw new Error('no method');
    // The decoder goes on four bytes further than where the number ends.
    const hidden = Buffer.concat([Buffer.from([8, 0x61, 0x61, 0x61, 0, 0x12, 2, 0xff, 0xff])]);
    const message = Buffer.concat([Buffer.from([0x0a, 5]), Buffer.from('books'), Buffer.from(hex, 'hex'), hidden]);
    expect(await send(get, message)).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: 'a number of the request has more than 5 bytes',
    });
  });

  it.each(methods)('is refused where it is cut short: $path', async (method) => {
    // Of a field that no message has.
    expect(await send(method, Buffer.from('fa7f0461', 'hex'))).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: 'the request is cut short: 3 bytes of a field are missing',
    });
  });

  it('is refused where a field comes with another wire type, which the decoder would pass over', async () => {
    const get = methods.find(({ path }) => path.endsWith('KV/Get'));
    expect(get).toBeDefined();
    if (get === undefined) return;
    expect(await send(get, Buffer.from('1061ffffffff7f', 'hex'))).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringMatching(/^the field \w+ has the wire type 2; it came with 0$/),
    });
  });

  it('is refused where it is no wire format', async () => {
    const get = methods.find(({ path }) => path.endsWith('KV/Get'));
    expect(get).toBeDefined();
    if (get) expect(await send(get, Buffer.from('0f', 'hex'))).toMatchObject({ code: status.INVALID_ARGUMENT });
  });
});
