import { types } from 'node:util';
import { identities } from '../identity.ts';
import { loadedModules, type ServletModule } from '../module-code.ts';

/** A constant of a module's top level, or what one of its properties holds: the module, then one or two names. */
export interface ConstantPlace {
  module: ServletModule;
  path: readonly [name: string, property: string];
}

const places: Map<unknown, ConstantPlace> = new Map();
const searched: Set<ServletModule> = new Set();

/**
 * Where something stands that has an identity and no contents that could be copied: a symbol, a web cell, a web parameter, what a library made.
 * It is found again by its name, if it is what a constant of the servlet's own modules holds, or a property of such an object.
 */
export function constantOf(value: unknown): ConstantPlace | undefined {
  for (const module of loadedModules()) {
    if (searched.has(module)) continue;
    let isWhole = true;
    for (const name of Object.keys(module.parts.constants)) if (!search(module, name)) isWhole = false;
    if (isWhole) searched.add(module);
  }
  return places.get(value);
}

/** @returns false if the constant's declaration has not run */
function search(module: ServletModule, name: string): boolean {
  let value: unknown;
  try {
    value = module.parts.constants[name]!();
  } catch {
    return false;
  }
  if (hasIdentity(value)) add(value, module, name, '');
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return true;
  const proto: unknown = Object.getPrototypeOf(value);
  if (proto !== Object.prototype && proto !== Array.prototype && proto !== null) return true;
  // What else a module keeps in an object that can change may not be there when it is asked for.
  const isFrozen = Object.isFrozen(value);
  for (const key of Object.keys(value)) {
    const inside = ownValue(value, key);
    if (hasIdentity(inside) && (isFrozen || (typeof inside !== 'symbol' && identities.has(inside))))
      add(inside, module, name, key);
  }
  return true;
}

function hasIdentity(value: unknown): value is object | symbol {
  return typeof value === 'symbol' || typeof value === 'function' || (typeof value === 'object' && value !== null);
}

function add(value: object | symbol, module: ServletModule, name: string, property: string): void {
  if (!places.has(value)) places.set(value, { module, path: [name, property] });
}

/** What stands at a place now; undefined if nothing does. */
export function readConstant(module: ServletModule, [name, property]: ConstantPlace['path']): unknown {
  const read = Object.hasOwn(module.parts.constants, name) ? module.parts.constants[name] : undefined;
  if (read === undefined) return undefined;
  let value: unknown;
  try {
    value = read();
  } catch {
    return undefined; // Its declaration has not run.
  }
  return property === '' ? value : ownValue(value, property);
}

function ownValue(object: unknown, key: string): unknown {
  if (typeof object !== 'object' || object === null || types.isProxy(object)) return undefined;
  return Object.getOwnPropertyDescriptor(object, key)?.value;
}
