/**
 * Nodes as Kubernetes has them: as little as the API takes, and as a kubelet leaves them.
 *
 * @module
 */
import { createHash } from 'node:crypto';

/** What a test says of a node. */
export interface NodeOptions {
  readonly podCIDRs?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly addresses?: readonly NodeAddress[];
  /** As a kubelet leaves it: 13 kB of JSON, most of it images. */
  readonly fat?: boolean;
}

/** See `status.addresses`. */
export interface NodeAddress {
  readonly type: 'InternalIP' | 'ExternalIP' | 'Hostname';
  readonly address: string;
}

/** As many as a kubelet reports (`--node-status-max-images`). */
const IMAGES = 50;

/** The images of a node have names of all lengths. */
const IMAGE_NAMES = [
  'docker.io/library/nginx',
  'docker.io/rancher/mirrored-coredns-coredns',
  'ghcr.io/home-assistant/home-assistant',
  'quay.io/prometheus/node-exporter',
  'registry.k8s.io/pause',
];

/** The body of `POST /api/v1/nodes`. A fat node gets its status afterwards, as from a kubelet. */
export function nodeObject(name: string, options: NodeOptions = {}): Record<string, unknown> {
  const { podCIDRs = [], annotations, addresses = [], fat = false } = options;
  const labels = fat ? { ...kubeletLabels(name), ...options.labels } : options.labels;
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, annotations: fat ? { ...K3S_ANNOTATIONS, ...annotations } : annotations, labels },
    spec: {
      podCIDR: podCIDRs[0],
      podCIDRs: podCIDRs.length > 0 ? podCIDRs : undefined,
      providerID: fat ? `k3s://${name}` : undefined,
    },
    status: fat ? undefined : nodeStatus(name, { addresses }),
  };
}

/** The `status` of a node; a kubelet patches it every few minutes, and whenever a condition changes. */
export function nodeStatus(
  name: string,
  { addresses = [], fat = false }: Pick<NodeOptions, 'addresses' | 'fat'>,
): Record<string, unknown> {
  if (!fat) return { addresses };
  const resources = {
    cpu: '4',
    'ephemeral-storage': '60666552Ki',
    'hugepages-2Mi': '0',
    memory: '8138520Ki',
    pods: '110',
  };
  return {
    addresses: [...addresses, { type: 'Hostname', address: name }],
    capacity: resources,
    allocatable: { ...resources, 'ephemeral-storage': '59016421761' },
    conditions: kubeletConditions(new Date()),
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: {
      machineID: digestOf(name).slice(0, 32),
      systemUUID: digestOf(`${name} system`).slice(0, 32),
      bootID: '2c1bd9d1-4a5e-4a4f-9d4c-0f7e4f7f4c11',
      kernelVersion: '6.12.47+rpt-rpi-v8',
      osImage: 'Debian GNU/Linux 12 (bookworm)',
      containerRuntimeVersion: 'containerd://2.1.4-k3s2',
      kubeletVersion: 'v1.34.1+k3s1',
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: 'arm64',
    },
    images: Array.from({ length: IMAGES }, (_, i) => imageOf(i)),
  };
}

/** What a kubelet says every time that it says that it is well. */
export function kubeletConditions(now: Date): Record<string, string>[] {
  const lastHeartbeatTime = now.toISOString().replace(/\.\d+/, '');
  const condition = (type: string, status: string, reason: string, message: string) => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime,
    lastTransitionTime: '2026-01-02T03:04:05Z',
  });
  return [
    condition(
      'MemoryPressure',
      'False',
      'KubeletHasSufficientMemory',
      'kubelet has sufficient memory available',
    ),
    condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
  ];
}

const K3S_ANNOTATIONS = {
  'alpha.kubernetes.io/provided-node-ip': '192.168.77.1',
  'k3s.io/internal-ip': '192.168.77.1',
  'k3s.io/node-args': '["agent","--flannel-backend","none"]',
  'k3s.io/node-env': '{}',
  'node.alpha.kubernetes.io/ttl': '0',
  'volumes.kubernetes.io/controller-managed-attach-detach': 'true',
};

function kubeletLabels(name: string): Record<string, string> {
  return {
    'beta.kubernetes.io/arch': 'arm64',
    'beta.kubernetes.io/instance-type': 'k3s',
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'arm64',
    'kubernetes.io/hostname': name,
    'kubernetes.io/os': 'linux',
    'node.kubernetes.io/instance-type': 'k3s',
  };
}

function imageOf(number: number): { names: string[]; sizeBytes: number } {
  const name = IMAGE_NAMES[number % IMAGE_NAMES.length];
  const digest = digestOf(`${name} ${number}`);
  return {
    names: [`${name}@sha256:${digest}`, `${name}:1.${number}.0`],
    sizeBytes: 4_000_000 + number * 1_234_567,
  };
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
