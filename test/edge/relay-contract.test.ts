import { feedContract } from '../contract/feed.ts';
import { aCall, Chain, covering, isLive } from './chain.ts';

/** What is written at the origin counts once the relay at the end has it. */
async function relayed(relays: number) {
  const chain = new Chain();
  const origin = await chain.origin('o');
  const { namespace } = await origin.create('books', aCall());
  let relay = await chain.edge('relay1', [origin], { replicate: ['*'] });
  for (let i = 2; i <= relays; i++) relay = await chain.edge(`relay${i}`, [relay], { replicate: ['*'] });
  await isLive(relay);
  return {
    feed: relay,
    keyValue: {
      peek: () => undefined,
      get: origin.get.bind(origin),
      list: origin.list.bind(origin),
      write: async (...args: Parameters<typeof origin.write>) => {
        const answer = await origin.write(...args);
        await covering(relay, answer.covered);
        return answer;
      },
    },
    namespace,
    relayed: true as const,
    call: aCall,
    close: () => chain.close(),
  };
}

feedContract('a relay', () => relayed(1));
feedContract('a relay below a relay', () => relayed(2));
