import { realpathSync } from 'node:fs';

/** As they were before the servlet ran; without the permission model there is nothing to lead out of. */
const { native: realPath } = realpathSync;
const { permission } = process as { permission?: { has(scope: string, reference: string): boolean } };
const mayRead = permission?.has.bind(permission) ?? (() => true);

/**
 * The path leads by a symbolic link to what this thread may not read: the permission model looks at the path alone. Nobody but who
 * puts files into a servlet's directory can make one.
 */
export function leadsOut(path: string | Uint8Array): boolean {
  let real: string;
  try {
    real = realPath(path as string);
  } catch (error) {
    // Whoever uses the path learns why it can't be used; where it leads must be known.
    return (error as NodeJS.ErrnoException).code === 'ENAMETOOLONG';
  }
  return real !== path && !mayRead('fs.read', real);
}
