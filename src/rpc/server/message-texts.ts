import { isUtf8 } from 'node:buffer';
import { MeridianError } from '../../model/errors.ts';
import { strictText } from '../../model/text.ts';
import { type FieldShape, fieldLabel, fieldType, type MessageShape, readFiles } from '../file-descriptors.ts';
import { protoFiles } from '../proto.ts';

interface Field {
  readonly name: string;
  readonly wireType: number;
  /** Numbers of a repeated field may also come in one piece. */
  readonly isPackable: boolean;
  readonly isText: boolean;
  /** A number of 32 bits, of which the decoder reads five bytes or ten. */
  readonly isShort: boolean;
  /** The texts of the message that this field holds. */
  readonly texts?: MessageTexts | undefined;
}

const shortTypes: ReadonlySet<number> = new Set([
  fieldType.bool,
  fieldType.enum,
  fieldType.int32,
  fieldType.uint32,
  fieldType.sint32,
]);

/** Bytes of a varint of 64 bits; of a tag, a length and a number of 32 bits. */
const varintBytesMax = 10;
const shortBytesMax = 5;

const wire = { varint: 0, eightBytes: 1, lengthDelimited: 2, groupBegins: 3, groupEnds: 4, fourBytes: 5 } as const;

/**
 * Checks the texts in a message's bytes before it is decoded. The wire format is tags (field · 8 + wire type), each
 * followed by its content: `0a 03 63 61 66` is field 1, three bytes, `caf`. Everything else is skipped. Every request
 * passes here, so it makes no object for a field, and decodes no text that is ASCII.
 */
export class MessageTexts {
  readonly #fields: Field[] = [];

  add(number: number, field: Field): void {
    this.#fields[number] = field;
  }

  /**
   * @throws INVALID_ARGUMENT if a field is cut short, or naming the text that is broken, as in `mutation.key is no
   * UTF-8: byte 4 is 0xff`
   */
  check(bytes: Buffer): void {
    const reader = new WireReader(bytes);
    const path = this.#broken(reader, bytes.length);
    if (path !== undefined) strictText(reader.broken, path);
  }

  /** The path of the first broken text before `end`. */
  #broken(reader: WireReader, end: number): string | undefined {
    while (reader.at < end) {
      const tag = reader.short(end);
      const wireType = tag & 7;
      const field = this.#fields[tag >>> 3];
      // The decoder goes by the field's type, not by the tag's, and would go on at another byte.
      if (field !== undefined && wireType !== field.wireType) {
        if (!field.isPackable || wireType !== wire.lengthDelimited) throw otherWireType(field, wireType);
      }
      const contentEnd = reader.step(wireType, end, field?.isShort);
      if (contentEnd === undefined) continue;
      if (field?.texts !== undefined) {
        const inner = field.texts.#broken(reader, contentEnd);
        if (inner !== undefined) return `${field.name}.${inner}`;
      } else if (field?.isText === true && !reader.isText(contentEnd)) return field.name;
      reader.at = contentEnd;
    }
    return undefined;
  }
}

/**
 * Steps from tag to tag. Bytes that are no wire format end it: the decoder will refuse them. A number that goes on
 * beyond the end of its message, or has more bytes than its kind, is refused: the decoder would read it there, or end
 * it elsewhere, and go on at another byte than was checked here.
 */
class WireReader {
  at = 0;
  /** The text that `isText` found broken. */
  broken: Uint8Array = new Uint8Array();
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** A tag or a length. */
  short(end: number): number {
    return this.#varint(end, shortBytesMax);
  }

  /** Its low 32 bits. */
  #varint(end: number, bytesMax: number): number {
    let value = 0;
    const last = this.at + bytesMax;
    for (let shift = 0; this.at < end; shift += 7) {
      if (this.at === last) throw tooLong(bytesMax);
      const byte = this.#bytes[this.at++] ?? 0;
      if (shift < 32) value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw cutShort(1);
  }

  #skipVarint(end: number, isShort: boolean): undefined {
    const from = this.at;
    this.#varint(end, varintBytesMax);
    const bytes = this.at - from;
    if (isShort && bytes > shortBytesMax && bytes < varintBytesMax) throw tooLong(shortBytesMax);
  }

  /** Goes to the content of a length-delimited field, and returns its end; skips the content of every other. */
  step(wireType: number, end: number, isShort = false): number | undefined {
    switch (wireType) {
      case wire.varint:
        return this.#skipVarint(end, isShort);
      case wire.eightBytes:
        return this.#skip(8, end);
      case wire.fourBytes:
        return this.#skip(4, end);
      case wire.lengthDelimited: {
        const contentEnd = this.short(end) + this.at;
        // The decoder would take what there is of it, and store half a key.
        if (contentEnd > end) throw cutShort(contentEnd - end);
        return contentEnd;
      }
      case wire.groupBegins:
      case wire.groupEnds:
        return undefined;
      default:
        this.at = end;
        return undefined;
    }
  }

  #skip(bytes: number, end: number): undefined {
    this.at += bytes;
    if (this.at > end) throw cutShort(this.at - end);
    return undefined;
  }

  /** Whether the bytes up to `end` are UTF-8. */
  isText(end: number): boolean {
    for (let at = this.at; at < end; at++) {
      if ((this.#bytes[at] ?? 0) < 0x80) continue;
      this.broken = this.#bytes.subarray(this.at, end);
      return isUtf8(this.broken);
    }
    return true;
  }
}

function otherWireType({ name, wireType }: Field, seen: number): MeridianError {
  const message = `the field ${name} has the wire type ${wireType}; it came with ${seen}`;
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'malformed', limit: wireType, seen });
}

function tooLong(limit: number): MeridianError {
  const message = `a number of the request has more than ${limit} bytes`;
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'malformed', limit });
}

function cutShort(missing: number): MeridianError {
  const message = `the request is cut short: ${missing} bytes of a field are missing`;
  return new MeridianError('INVALID_ARGUMENT', message, { reason: 'malformed', seen: missing });
}

/** The texts of the request of a method, such as `/meridian.v1.KV/Get`. @throws if proto/ has no such method */
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
      byName.get(name)?.add(one.number, fieldOf(one, byName));
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

function fieldOf({ name, type, label, typeName }: FieldShape, messages: ReadonlyMap<string, MessageTexts>): Field {
  const wireType = wireTypeOf(type);
  return {
    name,
    wireType,
    isPackable: label === fieldLabel.repeated && wireType !== wire.lengthDelimited,
    isText: type === fieldType.string,
    isShort: shortTypes.has(type),
    texts: type === fieldType.message ? messages.get(typeName ?? '') : undefined,
  };
}

/** Protocol Buffers, Encoding, "Message Structure". */
function wireTypeOf(type: number): number {
  const { double, fixed64, sfixed64, float, fixed32, sfixed32, string, message, bytes } = fieldType;
  const isOf = (...types: readonly number[]) => types.includes(type);
  if (isOf(double, fixed64, sfixed64)) return wire.eightBytes;
  if (isOf(float, fixed32, sfixed32)) return wire.fourBytes;
  return isOf(string, message, bytes) ? wire.lengthDelimited : wire.varint;
}
