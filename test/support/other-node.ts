import { existsSync } from 'node:fs';

/** Paths of a Node of another major version that a test may run as well: named by `CUSTODIAN_NODE26` for 26. */
export function otherNode(major: number): string[] {
  if (Number.parseInt(process.versions.node, 10) === major) return [];
  const path = process.env[`CUSTODIAN_NODE${major}`];
  return path !== undefined && existsSync(path) ? [path] : [];
}
