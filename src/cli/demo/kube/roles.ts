/**
 * The rights of agents, as `k3s/rbac.yaml` gives them: the demo's agents have no others.
 *
 * @module
 */
import * as v from 'valibot';
import rbac from '../../../../k3s/rbac.yaml' with { type: 'text' };

const objectSchema = v.looseObject({
  apiVersion: v.string(),
  kind: v.string(),
  metadata: v.looseObject({ name: v.string(), namespace: v.optional(v.string()) }),
});

/** An object and where it is posted to. */
export interface ApiObject {
  readonly path: string;
  readonly body: unknown;
}

/** What an administrator makes before agents ask. */
export function roleObjects(): ApiObject[] {
  const objects = v.parse(v.array(objectSchema), Bun.YAML.parse(rbac));
  return objects.map((body) => {
    const { apiVersion, kind, metadata } = body;
    const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const namespace = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`;
    return { path: `${group}${namespace}/${kind.toLowerCase()}s`, body };
  });
}
