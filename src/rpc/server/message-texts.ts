import { MeridianError } from '../../model/errors.ts';
import { strictText } from '../../model/text.ts';
import { type FieldShape, fieldType, type MessageShape, readFiles } from '../file-descriptors.ts';
import { protoFiles } from '../proto.ts';

type Field = { readonly name: string } & (
  | { readonly kind: 'text' }
  | { readonly kind: 'message'; readonly texts: MessageTexts }
);

const wire = { varint: 0, eightBytes: 1, lengthDelimited: 2, groupBegins: 3, groupEnds: 4, fourBytes: 5 } as const;

/**
 * Looks at the texts in a message's bytes, before it is decoded. The wire format is tags (field · 8 + wire type) with
 * their content behind them: `0a 03 63 61 66` is field 1, three bytes, `caf`. Everything else is stepped over.
 */
export class MessageTexts {
  readonly #fields = new Map<number, Field>();

  add(number: number, field: Field): void {
    this.#fields.set(number, field);
  }

  /** @throws INVALID_ARGUMENT where a field is cut short, or naming the one that is broken, as in `mutation.key is no UTF-8: byte 4 is 0xff` */
  check(bytes: Buffer, path = ''): void {
    const reader = new WireReader(bytes);
    while (reader.more) {
      const tag = reader.varint();
      const content = reader.content(tag % 8);
      const field = this.#fields.get(Math.floor(tag / 8));
      if (field === undefined || content === undefined) continue;
      if (field.kind === 'text') strictText(content, path + field.name);
      else field.texts.check(content, `${path}${field.name}.`);
    }
  }
}

/** Steps from tag to tag. What is no wire format ends it: the decoder will say so. */
class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** Its low 32 bits, which are all that the decoder takes of a tag or a length. */
  varint(): number {
    let value = 0;
    for (let shift = 0; this.more; shift += 7) {
      const byte = this.#bytes[this.#at++] ?? 0;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value >>> 0;
  }

  /** The bytes of a length-delimited field; undefined for every other. */
  content(wireType: number): Buffer | undefined {
    switch (wireType) {
      case wire.varint:
        this.varint();
        return undefined;
      case wire.eightBytes:
        this.#at += 8;
        return undefined;
      case wire.fourBytes:
        this.#at += 4;
        return undefined;
      case wire.lengthDelimited: {
        const end = this.varint() + this.#at;
        // The decoder would take what there is of it, and store half a key.
        if (end > this.#bytes.length) throw cutShort(end - this.#bytes.length);
        const content = this.#bytes.subarray(this.#at, end);
        this.#at = end;
        return content;
      }
      case wire.groupBegins:
      case wire.groupEnds:
        return undefined;
      default:
        this.#at = this.#bytes.length;
        return undefined;
    }
  }
}

function cutShort(missing: number): MeridianError {
  const message = `the request is cut short: ${missing} bytes of a field are missing`;
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'malformed', seen: missing });
}

/** The texts of the request of a method, such as `/meridian.v1.KV/Get`. @throws where proto/ has no such method */
export function messageTexts(methodPath: string): MessageTexts {
  const found = requests.get(methodPath);
  if (found === undefined) throw new Error(`proto/ defines no method ${methodPath}`);
  return found;
}

const requests = requestsOf(protoFiles);

function requestsOf(files: typeof protoFiles): Map<string, MessageTexts> {
  const shapes = readFiles(files);
  const byName = new Map<string, MessageTexts>();
  const all = shapes.flatMap((file) => [...messagesIn(`.${file.package}`, file.messageType)]);
  for (const [name] of all) byName.set(name, new MessageTexts());
  for (const [name, { field }] of all) {
    for (const one of field) {
      const known = fieldOf(one, byName);
      if (known !== undefined) byName.get(name)?.add(one.number, known);
    }
  }
  const methods = shapes.flatMap((file) =>
    file.service.flatMap((service) =>
      service.method.map(({ name, inputType }) => [`/${file.package}.${service.name}/${name}`, inputType] as const),
    ),
  );
  return new Map(methods.map(([path, type]) => [path, byName.get(type) ?? new MessageTexts()]));
}

function* messagesIn(
  scope: string,
  messages: readonly MessageShape[],
): Generator<readonly [string, MessageShape], void> {
  for (const message of messages) {
    const name = `${scope}.${message.name}`;
    yield [name, message];
    yield* messagesIn(name, message.nestedType);
  }
}

function fieldOf({ name, type, typeName }: FieldShape, messages: ReadonlyMap<string, MessageTexts>): Field | undefined {
  if (type === fieldType.string) return { name, kind: 'text' };
  const texts = type === fieldType.message ? messages.get(typeName ?? '') : undefined;
  return texts === undefined ? undefined : { name, kind: 'message', texts };
}
