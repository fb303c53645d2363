// Fits the compiler to a test262 runner: transform262 compiles a case, install puts the runtime into its realm.
import { readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import vm from 'node:vm';
import { compile } from '../../packages/worker/src/continuation/compile/compile.ts';

const at = (file) => new URL(`../../packages/worker/src/continuation/${file}`, import.meta.url);

// The runtime's objects must belong to the realm of the case, so its source is evaluated there, as one script.
const files = [
  'stack-place.ts',
  'errors.ts',
  'frame.ts',
  'activation.ts',
  'module-code.ts',
  'iterator.ts',
  'cursor.ts',
  'async-cursor.ts',
  'elements.ts',
  'resources.ts',
  'support.ts',
];
const exported = [...readFileSync(at('emitted.ts'), 'utf8').matchAll(/export \{([^}]*)\}/g)].flatMap((m) =>
  m[1].split(',').map((s) => s.trim()),
);
const text = files
  .map((f) =>
    stripTypeScriptTypes(readFileSync(at(f), 'utf8'))
      .replace(/^import\b[^;]*;$/gm, '')
      .replace(/^export /gm, ''),
  )
  .join('\n');
const runtime = new vm.Script(
  `(() => {'use strict'; const ownFiles = /(?!)/;\n${text}\nglobalThis.$rtStress = stressCount; return {${exported.join(', ')}} })()`,
  { filename: 'continuation-runtime.js' },
);

let resumable = 0,
  reentries = 0,
  last = null;

export function transform262(source, { filename, sourceType, stress, saved }) {
  if (sourceType === 'script') new vm.Script(source, { filename });
  else new vm.SourceTextModule(source, { context: vm.createContext({}) });
  let compiled;
  // What V8 parses and the parser does not is left native.
  try {
    compiled = compile(source, {
      file: filename,
      sourceType,
      isStress: stress,
      runtime: 'unused',
      savedAs: saved ? filename : undefined,
    });
  } catch (error) {
    if (error.code === 'SERVLET_SYNTAX') return source;
    throw error;
  }
  resumable += compiled.resumableCount;
  return sourceType === 'module'
    ? compiled.code.replace(/^import \* as \$rt from ['"]unused['"];/m, '')
    : compiled.code;
}

export function install(context) {
  if (last) reentries += last.reentries;
  Object.defineProperty(context, '$rt', {
    value: runtime.runInContext(context),
    enumerable: false,
    configurable: true,
  });
  last = vm.runInContext('(() => { const s = $rtStress; delete globalThis.$rtStress; return s })()', context);
}

export const stats = () => ({ resumable, reentries: reentries + (last?.reentries ?? 0) });
