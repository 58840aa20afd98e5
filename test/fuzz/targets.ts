/**
 * Everything that is fuzzed.
 *
 * @module
 */
import type { Target } from './target.ts';
import { cniFiles } from './targets/cni-files.ts';
import { commandLine } from './targets/command-line.ts';
import { events, session } from './targets/datagram.ts';
import { etcdAnswer } from './targets/etcd-answer.ts';
import { hostPorts } from './targets/host-ports.ts';
import { http } from './targets/http.ts';
import { kubeAnswer } from './targets/kube-answer.ts';
import { leaseFile } from './targets/lease-file.ts';
import { leaseRow } from './targets/lease-row.ts';
import { netConf } from './targets/net-conf.ts';
import { netlink } from './targets/netlink.ts';
import { rules } from './targets/rules.ts';
import { stateFile } from './targets/state-file.ts';
import { status } from './targets/status.ts';
import { subnetEnv } from './targets/subnet-env.ts';

/** In the order in which they run. */
export const TARGETS: readonly Target[] = [
  netlink,
  session,
  events,
  rules,
  netConf,
  subnetEnv,
  leaseRow,
  etcdAnswer,
  kubeAnswer,
  commandLine,
  cniFiles,
  hostPorts,
  stateFile,
  leaseFile,
  status,
  http,
];
