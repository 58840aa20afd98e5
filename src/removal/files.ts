/**
 * Whose the files are.
 *
 * @module
 */
import type { Prefix } from '../model/ip.ts';
import { describe, type RouteObject } from '../model/objects.ts';
import type { Findings, LeaseFindings, Left } from './findings.ts';
import { flanneldRuns } from './kernel.ts';
import { quoteForShell } from './shell.ts';
import type { DirectoryStep, FileStep, LeaseStep } from './step.ts';

/** What is to be done about one part of what was found. */
export interface Judgement<S> {
  readonly steps: readonly S[];
  readonly left: readonly Left[];
}

/** Judges subnet.env: that of flanneld has the same form, so only what it says can tell. */
export function judgeSubnetEnv(findings: Findings, successor: RouteObject | undefined): Judgement<FileStep> {
  const { subnetEnv: file, state, leases } = findings;
  const halfWritten = findings.halfWritten.map((path): FileStep => ({ kind: 'file', path, part: 'network' }));
  const keep = (why: string, whose: Left['whose']) => ({
    steps: halfWritten,
    left: [{ what: file.path, why, whose }],
  });
  if (file.kind === 'none') return { steps: halfWritten, left: [] };
  if (file.kind === 'unreadable') return keep(`it cannot be read (${file.reason})`, 'maybe');
  if (findings.flanneld !== undefined) return keep(flanneldRuns(findings.flanneld), 'others');
  if (successor !== undefined) {
    return keep(`flanneld has taken the node over (${describe(successor)}); --adopt takes it`, 'others');
  }
  const own = leases.kind === 'read' ? (leases.own ?? []) : [];
  const isLeased = file.subnets.length > 0 && file.subnets.every((subnet) => own.includes(subnet));
  if (isLeased || file.digest === state.subnetEnvDigest) {
    return { steps: [{ kind: 'file', path: file.path, part: 'network' }, ...halfWritten], left: [] };
  }
  const isTold = leases.kind === 'read' || state.subnetEnvDigest !== undefined;
  const subnets = file.subnets.length === 0 ? 'it names no subnet' : `its subnet ${file.subnets.join(', ')}`;
  const remedy = `; if nobody needs it: rm ${quoteForShell(file.path)}`;
  return isTold
    ? keep(`${subnets} is not what flannelette wrote, nor leased to this node${remedy}`, 'others')
    : keep(`no lease and no state can be read that would tell who wrote it${remedy}`, 'maybe');
}

/** Judges the own lease, and what becomes of the database. `found` says whether there is anything else of ours. */
export function judgeLease(findings: Findings, found: boolean): Judgement<LeaseStep> {
  const { node, leases } = findings;
  switch (leases.kind) {
    case 'unnamed':
      return lostLease(
        found,
        'no store was named; give --lease-db FILE, --kube-subnet-mgr or the flags of etcd as the agent had them',
      );
    case 'none':
      return lostLease(
        found,
        `there is no database ${quoteForShell(leases.path)}; see that --lease-db is right`,
      );
    case 'unreadable': {
      const why = `${leases.message}; run this again once that is put right`;
      return { steps: [], left: [{ what: `the lease of node ${node}, if it has one`, why, whose: 'ours' }] };
    }
    case 'read': {
      const { path, own, isShared = false, isReserved = false } = leases;
      const left = isShared ? [] : [leftDatabase(leases)];
      if (own === undefined)
        return { steps: [], left: isShared ? [] : [...leasesLikeOurs(findings), ...left] };
      if (isReserved) return { steps: [], left: [reservation(own, path)] };
      return { steps: [{ kind: 'lease', database: path, node, subnets: own }], left };
    }
  }
}

/** Leases under other names that say the same as what was found here: the agent may have had another name. */
function leasesLikeOurs({ node, leases, state, subnetEnv, macs }: Findings): Left[] {
  const wasWritten = subnetEnv.kind === 'read' && subnetEnv.digest === state.subnetEnvDigest;
  const subnets = new Set(wasWritten ? subnetEnv.subnets : []);
  return (leases.kind === 'read' ? leases.peers : []).flatMap((lease) => {
    const halves = [lease.ipv4, lease.ipv6].filter((half) => half !== undefined);
    const isAlike = halves.some(({ subnet, vtep }) => subnets.has(subnet) || (vtep && macs.has(vtep.mac)));
    if (!isAlike) return [];
    const what = `the lease ${halves.map(({ subnet }) => subnet).join(', ')} of node ${lease.node}`;
    const why = `node ${node} has none, and this one has its subnet or address; if the agent went by that name, run this again with NODE_NAME=${quoteForShell(lease.node)}`;
    return [{ what, why, whose: 'maybe' }];
  });
}

/** Once everything else is gone, there is nothing that would tell of a lease. */
function lostLease(found: boolean, why: string): Judgement<LeaseStep> {
  return {
    steps: [],
    left: [{ what: 'the lease, if there is one', why, whose: found ? 'maybe' : 'others' }],
  };
}

function reservation(subnets: readonly Prefix[], place: string): Left {
  const what = `the lease ${subnets.join(', ')} in ${quoteForShell(place)}`;
  return { what, why: 'it does not expire: an operator has reserved it', whose: 'others' };
}

function leftDatabase({ path, others }: Extract<LeaseFindings, { kind: 'read' }>): Left {
  const what = `lease database ${path}`;
  if (others > 0) {
    const why = others === 1 ? 'another node has a lease in it' : `${others} other nodes have leases in it`;
    return { what, why, whose: 'others' };
  }
  const all = ['', '-wal', '-shm', '-changed'].map((suffix) => quoteForShell(`${path}${suffix}`)).join(' ');
  return { what, why: `no other node has a lease in it; to remove it: rm -f ${all}`, whose: 'others' };
}

/** Judges what the node remembers of itself, and the directories, once the files in `going` are gone. */
export function judgeState(
  { state, socket, directories }: Findings,
  going: readonly FileStep[],
): Judgement<FileStep | DirectoryStep> {
  const steps: (FileStep | DirectoryStep)[] = [];
  const left: Left[] = [];
  if (socket.kind === 'stale') steps.push({ kind: 'file', path: socket.path, part: 'state' });
  if (socket.kind === 'foreign') left.push({ what: socket.path, why: 'it is no socket', whose: 'others' });
  for (const name of state.ours)
    steps.push({ kind: 'file', path: `${state.directory}/${name}`, part: 'state' });
  if (state.file === 'unreadable') {
    left.push({ what: state.directory, why: `it cannot be read (${state.reason ?? ''})`, whose: 'maybe' });
  }
  const gone = new Set([...going, ...steps].map(({ path }) => path));
  for (const { path, entries } of directories) {
    const staying = entries.filter((name) => !gone.has(`${path}/${name}`));
    gone.add(path);
    if (staying.length === 0) {
      steps.push({ kind: 'directory', path });
      continue;
    }
    gone.delete(path);
    left.push({
      what: path,
      why: `it holds what is not flannelette's to remove: ${listed(staying)}`,
      whose: 'others',
    });
  }
  return { steps, left };
}

const NAMES_SHOWN = 5;

function listed(names: readonly string[]): string {
  const rest = names.length - NAMES_SHOWN;
  return `${names.slice(0, NAMES_SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
