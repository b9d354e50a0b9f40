import { readFileSync } from 'node:fs';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor/index.js';

/**
 * What protoc would make of .proto files: one FileDescriptorProto each, under the file's own name, with the names that
 * stand in it. The loaders of .proto files make descriptors too, but wrong ones: all files as one without its name,
 * fields in camelCase, entries of maps under wrong names. A client that asks by reflection then sends fields that
 * nobody knows.
 *
 * Covers what our files use of proto3: messages, enums, maps, oneofs, services, options of files. A test compares the
 * bytes with protoc's own.
 */

/** A .proto file: the name that others import it by, and where it lies. */
export interface ProtoFile {
  readonly name: string;
  readonly path: string;
}

export interface FieldShape {
  readonly name: string;
  readonly number: number;
  readonly label: number;
  readonly type: number;
  /** With a leading dot; for messages and enums only. */
  readonly typeName?: string;
  readonly oneofIndex?: number;
  readonly jsonName: string;
}

export interface MessageShape {
  readonly name: string;
  readonly field: readonly FieldShape[];
  readonly nestedType: readonly MessageShape[];
  readonly enumType: readonly EnumShape[];
  readonly oneofDecl: ReadonlyArray<{ readonly name: string }>;
  readonly options?: { readonly mapEntry: true };
}

interface EnumShape {
  readonly name: string;
  readonly value: ReadonlyArray<{ readonly name: string; readonly number: number }>;
}

interface ServiceShape {
  readonly name: string;
  readonly method: ReadonlyArray<{
    readonly name: string;
    readonly inputType: string;
    readonly outputType: string;
    readonly clientStreaming?: true;
    readonly serverStreaming?: true;
  }>;
}

export interface FileShape {
  readonly name: string;
  readonly package: string;
  readonly dependency: readonly string[];
  readonly messageType: readonly MessageShape[];
  readonly enumType: readonly EnumShape[];
  readonly service: readonly ServiceShape[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly syntax: 'proto3';
}

/** Descriptor.proto's FieldDescriptorProto.Type. */
export const fieldType = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  message: 11,
  bytes: 12,
  uint32: 13,
  enum: 14,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
} as const;

/** Descriptor.proto's FieldDescriptorProto.Label. */
export const fieldLabel = { optional: 1, repeated: 3 } as const;

/** The files as shapes, in the order given. @throws if they use something that is unknown here */
export function readFiles(files: readonly ProtoFile[]): readonly FileShape[] {
  const parsed = files.map(parseFile);
  const kinds = new Map(parsed.flatMap(({ namespace }) => [...kindsIn(namespace)]));
  return parsed.map(({ name, source, namespace }) => {
    const shapes = new Shapes(kinds);
    return {
      name,
      package: source.package ?? '',
      dependency: source.imports ?? [],
      ...shapes.nested(namespace),
      service: namespace.nestedArray.filter(isService).map((service) => shapes.service(service)),
      ...shapes.options(source.root, namespace),
      syntax: 'proto3',
    };
  });
}

/** FileDescriptorProto bytes. */
export function encodeFile(shape: FileShape): Buffer {
  const type = descriptor.FileDescriptorProto;
  return Buffer.from(type.encode(type.fromObject(shape)).finish());
}

interface ParsedFile {
  readonly name: string;
  readonly source: protobuf.IParserResult;
  readonly namespace: protobuf.NamespaceBase;
}

/** Each file in a root of its own, so that everything in that root is the file's. */
function parseFile({ name, path }: ProtoFile): ParsedFile {
  const source = protobuf.parse(readFileSync(path, 'utf8'), new protobuf.Root(), { keepCase: true });
  const namespace = source.root.lookup(source.package ?? '');
  if (!(namespace instanceof protobuf.Namespace)) throw new Error(`${name} names no package`);
  return { name, source, namespace };
}

function* kindsIn(namespace: protobuf.NamespaceBase): Generator<readonly [string, 'message' | 'enum']> {
  for (const inner of namespace.nestedArray) {
    if (inner instanceof protobuf.Enum) yield [inner.fullName, 'enum'];
    if (inner instanceof protobuf.Type) {
      yield [inner.fullName, 'message'];
      yield* kindsIn(inner);
    }
  }
}

class Shapes {
  readonly #kinds: ReadonlyMap<string, 'message' | 'enum'>;

  constructor(kinds: ReadonlyMap<string, 'message' | 'enum'>) {
    this.#kinds = kinds;
  }

  nested({ nestedArray }: protobuf.NamespaceBase): {
    readonly messageType: MessageShape[];
    readonly enumType: EnumShape[];
  } {
    return {
      messageType: nestedArray.filter(isMessage).map((message) => this.#message(message)),
      enumType: nestedArray.filter(isEnum).map(({ name, values }) => ({
        name,
        value: Object.entries(values).map(([value, number]) => ({ name: value, number })),
      })),
    };
  }

  service(service: protobuf.Service): ServiceShape {
    return {
      name: service.name,
      method: service.methodsArray.map(({ name, requestType, responseType, requestStream, responseStream }) => ({
        name,
        inputType: this.#resolve(requestType, service).typeName,
        outputType: this.#resolve(responseType, service).typeName,
        ...(requestStream ? { clientStreaming: true as const } : {}),
        ...(responseStream ? { serverStreaming: true as const } : {}),
      })),
    };
  }

  /** `java_package` as `javaPackage`: the parser puts options before `package` on the root, others on the package. */
  options(...holders: readonly protobuf.ReflectionObject[]): { readonly options?: Record<string, unknown> } {
    const known = descriptor.FileOptions.fields;
    const entries = holders
      .flatMap((holder) => Object.entries(holder.options ?? {}))
      .map(([name, value]) => [camelCase(name), value] as const)
      .filter(([name]) => name in known);
    return entries.length === 0 ? {} : { options: Object.fromEntries(entries) };
  }

  #message(message: protobuf.Type): MessageShape {
    const { messageType, enumType } = this.nested(message);
    const maps = message.fieldsArray.filter((field) => field instanceof protobuf.MapField);
    return {
      name: message.name,
      field: message.fieldsArray.map((field) => this.#field(field, message)),
      nestedType: [...messageType, ...maps.map((map) => this.#entry(map, message))],
      enumType,
      oneofDecl: message.oneofsArray.map(({ name }) => ({ name })),
    };
  }

  #field(field: protobuf.Field, message: protobuf.Type): FieldShape {
    const { name, id, partOf, repeated } = field;
    const kind =
      field instanceof protobuf.MapField
        ? { type: fieldType.message, typeName: `${message.fullName}.${entryName(name)}` }
        : this.#kind(field.type, message);
    return {
      name,
      number: id,
      label: repeated || field instanceof protobuf.MapField ? fieldLabel.repeated : fieldLabel.optional,
      ...kind,
      ...(partOf === null ? {} : { oneofIndex: message.oneofsArray.indexOf(partOf) }),
      jsonName: camelCase(name),
    };
  }

  /** A map is repeated entries of a message of its own. */
  #entry({ name, keyType, type }: protobuf.MapField, message: protobuf.Type): MessageShape {
    const fields = [
      ['key', keyType],
      ['value', type],
    ] as const;
    return {
      name: entryName(name),
      field: fields.map(([part, of], index) => ({
        name: part,
        number: index + 1,
        label: fieldLabel.optional,
        ...this.#kind(of, message),
        jsonName: part,
      })),
      nestedType: [],
      enumType: [],
      oneofDecl: [],
      options: { mapEntry: true },
    };
  }

  #kind(type: string, scope: protobuf.NamespaceBase): { readonly type: number; readonly typeName?: string } {
    if (type in fieldType) return { type: fieldType[type as keyof typeof fieldType] };
    const { kind, typeName } = this.#resolve(type, scope);
    return { type: fieldType[kind], typeName };
  }

  /** From the innermost scope outwards, as protoc looks for names. */
  #resolve(type: string, scope: protobuf.ReflectionObject): { kind: 'message' | 'enum'; typeName: string } {
    for (let at: protobuf.ReflectionObject | null = scope; at !== null; at = at.parent) {
      const typeName = type.startsWith('.') ? type : `${at.fullName}.${type}`.replace(/^\.*/, '.');
      const kind = this.#kinds.get(typeName);
      if (kind !== undefined) return { kind, typeName };
    }
    throw new Error(`no file defines ${type}, which ${scope.fullName} names`);
  }
}

const isMessage = (inner: protobuf.ReflectionObject) => inner instanceof protobuf.Type;
const isEnum = (inner: protobuf.ReflectionObject) => inner instanceof protobuf.Enum;
const isService = (inner: protobuf.ReflectionObject) => inner instanceof protobuf.Service;

/** `expires_at` → `expiresAt`, the name in JSON. */
function camelCase(name: string): string {
  return name.replace(/_+(.?)/g, (_, next: string) => next.toUpperCase());
}

/** `by_name` → `ByNameEntry`. */
function entryName(field: string): string {
  const camel = camelCase(field);
  return `${camel.charAt(0).toUpperCase()}${camel.slice(1)}Entry`;
}
