// Writes proto/messages.json: what proto/ defines, one message, enum or service a line, so that a start reads JSON and
// needs no parser of .proto files. A test says when it is stale.
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

const folder = fileURLToPath(new URL('../proto/', import.meta.url));
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => `${folder}${target}`;
root.loadSync(['record', 'kv', 'feed', 'cluster'].map((file) => `meridian/v1/${file}.proto`)).resolveAll();
const definitions = Object.entries(root.lookup('meridian.v1').toJSON().nested);
const lines = definitions.map(([name, definition]) => `  ${JSON.stringify(name)}: ${JSON.stringify(definition)}`);
writeFileSync(`${folder}messages.json`, `{\n${lines.join(',\n')}\n}\n`);
