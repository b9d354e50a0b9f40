import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const folder = 'proto/meridian/v1';

describe('the files in proto/', () => {
  it('use no `optional`, which the protoc of Debian’s python3-grpc-tools (3.5) refuses', () => {
    const found = readdirSync(folder).filter((file) => /^\s*optional /m.test(readFileSync(join(folder, file), 'utf8')));
    expect(found).toEqual([]);
  });
});
