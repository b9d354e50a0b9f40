import { keyValueContract } from '../contract/key-value.ts';
import { aCall, openOrigin, overLoopback } from './loopback.ts';

const namespace = 'books';

keyValueContract('an origin', async () => {
  const { origin, close } = await openOrigin();
  await origin.create(namespace);
  return { keyValue: origin, namespace, call: aCall, close };
});

for (const pipelined of [false, true]) {
  keyValueContract(pipelined ? 'an origin over Pipeline' : 'an origin over gRPC', async () => {
    const opened = await openOrigin();
    await opened.origin.create(namespace);
    const { remote, close } = await overLoopback(opened.origin, { pipelined });
    return {
      keyValue: remote,
      namespace,
      call: aCall,
      close: async () => {
        await close();
        await opened.close();
      },
    };
  });
}
