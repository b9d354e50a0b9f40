import { feedContract } from '../contract/feed.ts';
import { aCall, openOrigin, overLoopback } from './loopback.ts';

async function originWithNamespace() {
  const opened = await openOrigin();
  const { namespace } = await opened.origin.create('books');
  return { ...opened, namespace };
}

feedContract('an origin', async () => {
  const { origin, namespace, close } = await originWithNamespace();
  return { feed: origin, keyValue: origin, namespace, call: aCall, close };
});

feedContract('an origin over gRPC', async () => {
  const opened = await originWithNamespace();
  const { remote, close } = await overLoopback(opened.origin);
  return {
    feed: remote,
    keyValue: remote,
    namespace: opened.namespace,
    call: aCall,
    close: async () => {
      await close();
      await opened.close();
    },
  };
});
