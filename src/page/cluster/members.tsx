import type { ViewJson } from '../../http/page/page-json.ts';
import type { Member } from '../../model/cluster.ts';
import type { StatusJson, VectorJson } from '../../model/status-json.ts';
import { boundText, bytesText, Card, Known, msText, Table, Trouble, timeText } from '../words.tsx';

/** Who belongs to the cluster, what each wrote in, and what this node holds. */
export function Members({ view: { node, members, membersUnknown } }: { readonly view: ViewJson }) {
  return (
    <>
      <Card title="This node">
        <Facts node={node} />
        <Notes node={node} />
      </Card>
      <Card title="Members" note="Origins that count to the cluster, and edges that follow any of them.">
        {membersUnknown === undefined ? <MemberTable members={members} /> : <Trouble error={membersUnknown} />}
      </Card>
      <Card
        title="Logs and seals"
        note="An origin writes in one log from one opening of its store to the next. A seal says where an earlier one ends."
      >
        {membersUnknown === undefined ? <LogTable members={members} node={node} /> : <Known text="unknown" />}
      </Card>
      <Card
        title="What this node holds"
        note="Staleness is proven here against the one origin that a scope's feed leads to."
      >
        <ScopeTable node={node} />
      </Card>
    </>
  );
}

function Facts({ node }: { readonly node: StatusJson }) {
  const facts: ReadonlyArray<readonly [string, string]> = [
    ['Name', `${node.name} (${node.role})`],
    ['Id', node.id],
    ['Region', node.region === '' ? 'unknown' : node.region],
    ['Cluster', node.cluster === '' ? 'unknown' : node.cluster],
    ['Version', node.version],
    ['Up', msText(node.uptimeSeconds * 1000)],
    ['Ready', node.ready ? 'yes' : 'no'],
    ['Takes writes', node.readOnly ? 'no' : 'yes'],
    ...(node.clock?.offsetMs === undefined
      ? []
      : [['Clock less its origin’s', `${Math.round(node.clock.offsetMs)} ms`] as const]),
    ...(node.processes ?? []).map(({ name, state, restarts }) => {
      return [name, restarts === 0 ? state : `${state}, started again ${restarts} times`] as const;
    }),
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <Known text={value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Notes({ node: { notes } }: { readonly node: StatusJson }) {
  if (notes.length === 0) return null;
  return (
    <ul class="notes" aria-label="What this node says">
      {notes.map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  );
}

function MemberTable({ members }: { readonly members: readonly Member[] }) {
  return (
    <Table
      label="Members"
      head={['Name', 'Role', 'Region', 'Address', 'Connected', 'Id']}
      rows={members.map(({ name, role, region, address, connected, id }) => [
        name,
        role,
        region === '' ? <Known text="unknown" /> : region,
        address === undefined ? <Known text="unknown" /> : <code>{address}</code>,
        connected ? 'yes' : 'no',
        <code key="id">{id}</code>,
      ])}
    />
  );
}

function LogTable({ members, node }: { readonly members: readonly Member[]; readonly node: StatusJson }) {
  const waits = new Map((node.unsealed ?? []).map(({ log, waitsFor }) => [log as string, waitsFor]));
  const rows = members.flatMap(({ name, logs = [] }) =>
    [...logs]
      .reverse()
      .map(({ log, openedMs, final }, n) => [
        name,
        <code key="log">{log}</code>,
        timeText(Math.floor(openedMs / 1000)),
        sealText(final, n === 0, waits.get(log)),
      ]),
  );
  if (rows.length === 0) return <p class="note">Nothing was written yet.</p>;
  return <Table label="Logs and seals" head={['Origin', 'Log', 'Opened', 'Seal']} rows={rows} />;
}

function sealText(final: number | undefined, isLatest: boolean, waitsFor: readonly string[] | undefined): string {
  if (final !== undefined) return `sealed at ${final.toLocaleString('en')}`;
  if (waitsFor !== undefined) return `not sealed yet: waits for ${waitsFor.join(', ') || 'its turn'}`;
  return isLatest ? 'written in now' : 'not sealed yet';
}

function ScopeTable({ node: { scopes } }: { readonly node: StatusJson }) {
  return (
    <Table
      label="What this node holds"
      head={['Scope', 'Holds', 'Feed', 'From', 'Proven staleness', 'Records', 'Size', 'Covered']}
      rows={scopes.map((scope) => [
        scope.kind,
        scope.filter.join(' '),
        scope.state,
        scope.upstream ?? '–',
        <Known key="bound" text={boundText(scope.boundMs)} />,
        <Known key="records" text={scope.records?.toLocaleString('en') ?? 'unknown'} />,
        <Known key="bytes" text={scope.bytes === undefined ? 'unknown' : bytesText(scope.bytes)} />,
        <code key="covered">{vectorText(scope.covered)}</code>,
      ])}
    />
  );
}

function vectorText(vector: VectorJson): string {
  return Object.entries(vector)
    .map(([log, sequence]) => `${log}:${sequence}`)
    .join(' ');
}
