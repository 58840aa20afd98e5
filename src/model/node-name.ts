/**
 * The names of nodes.
 *
 * @module
 */

/** The longest name that Kubernetes allows (RFC 1123). */
export const NODE_NAME_LENGTH_MAX = 253;

/** Whether a text can be a node's name: printable ASCII without spaces. One rule for our own and for others'. */
export function isNodeName(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && text.length <= NODE_NAME_LENGTH_MAX;
}
