import { call, declare, id, index, lit, member, node, returning, block, assign, statement, type Node } from './ast.ts';
import { withinStack } from './depth.ts';
import { diagnose, type Diagnostic } from './diagnostics.ts';
import { Emitter } from './emit.ts';
import { compileFunction, type FunctionContext, type FunctionMeta } from './functions.ts';
import type { Vocabulary } from './lowering.ts';
import { parse } from './parse.ts';
import { print } from './print.ts';
import { analyse, type Analysis } from './analyse.ts';
import { lift } from './lifting.ts';
import { SavedCode } from './saved-code.ts';
import { SourceLines } from './source-lines.ts';
import { assignStorage, Names } from './storage.ts';

export interface CompileOptions {
  /** The module's file name: for the source map and for messages. */
  file: string;
  sourceType?: 'module' | 'script';
  /** The author's text, if `source` was made from it by blanking the types: what maps and messages show. */
  original?: string;
  /** What emitted modules import the runtime from; a script finds it in the global `$rt`. */
  runtime?: string;
  /** Continuations are to be saved: the module's path below the servlet's directory, by which they name it. */
  savedAs?: string | undefined;
  /** Every await captures and re-enters: for tests of the transform itself. */
  isStress?: boolean;
  /** Modules whose exports `suspending` capture a continuation when called. */
  servletModules?: readonly string[];
}

export interface Compiled {
  code: string;
  map: { toUrl(): string } | null;
  diagnostics: Diagnostic[];
  resumableCount: number;
  /** The descriptions of its resumable functions. */
  functions: readonly FunctionMeta[];
}

/**
 * Compiles the async functions of a module into resumable ones. Types must be stripped already. Code without any is returned as it is.
 * @throws ServletSyntaxError, ServletTooDeepError, and ServletCompileError for a suspension that can never work.
 */
export function compile(source: string, options: CompileOptions): Compiled {
  const { file, sourceType = 'module', original = source } = options,
    tokens: string[] | undefined = options.savedAs === undefined ? undefined : [];
  const program = parse(source, file, sourceType, tokens);
  return withinStack(program, { file, source: original }, () => compileProgram(program, source, tokens, options));
}

function compileProgram(
  program: Node,
  source: string,
  tokens: string[] | undefined,
  options: CompileOptions,
): Compiled {
  const { file, sourceType = 'module', isStress = false, savedAs } = options;
  if (tokens) nameDefault(program);
  const analysis = analyse(program, sourceType === 'module', tokens !== undefined);
  const names = new Names(analysis.names);
  assignStorage(analysis, names, { isSaved: tokens !== undefined, servletModules: options.servletModules });
  if (tokens) lift(analysis, names);
  const lines = new SourceLines(source),
    original = options.original ?? source;
  const diagnostics = diagnose(analysis, original, lines, options);
  const resumable = analysis.functions.filter((fn) => fn.isResumable);
  if (!resumable.length && !(tokens && analysis.closures.length))
    return { code: source, map: null, diagnostics, resumableCount: 0, functions: [] };

  const words = vocabulary(names, sourceType),
    metas: FunctionMeta[] = [],
    saved = tokens ? new SavedCode(analysis, lines, closureName) : null;
  const context: FunctionContext = {
    names,
    words,
    lines,
    isStress,
    saved,
    nameOf: (fn) => closureName(fn.node),
    metaAt: (meta) => {
      const at = metas.push(meta) - 1;
      return () => call(id(words.meta), [lit(at)]);
    },
  };
  for (const fn of resumable) fn.compiled = compileFunction(fn, context);
  const emitter = new Emitter(context, analysis.root);
  const body = emitter.list(program['body']) as Node[];
  const prologue = body.findIndex((s) => !s['directive']);
  body.splice(
    prologue < 0 ? body.length : prologue,
    0,
    ...(sourceType === 'module' ? [importRuntime(words, options.runtime ?? '')] : []),
  );
  if (saved) registerDeclared(saved, analysis);
  if (saved && analysis.root.scope.variables.has(DEFAULT_NAME))
    body.push(statement(call(member(id(words.runtime), 'rename'), [id(DEFAULT_NAME), lit('default')])));
  body.push(...metaTable(words, metas, file, saved !== null));
  if (saved) body.push(...saved.registration(words, { module: savedAs!, file, tokens: tokens!, metas }));
  const { code, map } = print({ ...program, body }, source, { lines, original, file });
  return { code, map, diagnostics, resumableCount: resumable.length, functions: metas };
}

function vocabulary(names: Names, sourceType: 'module' | 'script'): Vocabulary {
  const fresh = (name: string): string => names.fresh(name);
  return {
    runtime: sourceType === 'module' ? fresh('$rt') : '$rt',
    frame: fresh('$f'),
    pc: fresh('$pc'),
    at: fresh('$at'),
    promise: fresh('$p'),
    error: fresh('$e'),
    saved: fresh('$s'),
    meta: fresh('$meta'),
    metas: fresh('$metas'),
    module: fresh('$m'),
    moduleOf: fresh('$module'),
  };
}

const importRuntime = (words: Vocabulary, from: string): Node =>
  node('ImportDeclaration', {
    specifiers: [node('ImportNamespaceSpecifier', { local: id(words.runtime) })],
    source: lit(from),
    attributes: [],
  });

/** Function descriptions, read when the first capture asks: hoisted, so that a call from an import cycle finds them. */
function metaTable(words: Vocabulary, metas: FunctionMeta[], file: string, isSaved: boolean): Node[] {
  if (!metas.length) return [];
  const table = call(member(id(words.runtime), 'functionTable'), [
    lit(file),
    lit(JSON.stringify(metas)),
    ...(isSaved ? [call(id(words.moduleOf), [])] : []),
  ]);
  return [
    declare('var', id(words.metas), null),
    node('FunctionDeclaration', {
      id: id(words.meta),
      params: [id('i')],
      async: false,
      generator: false,
      body: block([returning(index(assign(id(words.metas), table, '??='), id('i')))]),
    }),
  ];
}

/** Functions and classes that are declared at the top level are there once. */
function registerDeclared(saved: SavedCode, analysis: Analysis): void {
  for (const n of analysis.closures) {
    const { kind, code } = n.$use!;
    if (kind !== 'declared') continue;
    saved.value(code, id(n['id'].name));
    const compiled = n.$fn?.compiled;
    if (compiled?.isSibling) saved.body(code, id(compiled.bodyName));
  }
}

/** `export default function () {}` gets a name by which it can be reached. */
function nameDefault(program: Node): void {
  const body = program['body'] as Node[];
  body.forEach((s, i) => {
    const declaration = s.type === 'ExportDefaultDeclaration' ? (s['declaration'] as Node) : null;
    if (declaration?.type !== 'FunctionDeclaration' || declaration['id']) return;
    const name = node('Identifier', { name: DEFAULT_NAME }, declaration);
    body[i] = { ...s, declaration: { ...declaration, id: name, $name: 'default' } };
  });
}
const DEFAULT_NAME = '$default$';

/** What the author would call the function or class. */
const closureName = (n: Node): string => n['$name'] ?? n['id']?.name ?? '<anonymous>';

export type { Diagnostic } from './diagnostics.ts';
export { ServletTooDeepError } from '../too-deep-error.ts';
export { ServletCompileError } from './diagnostics.ts';
export { ServletSyntaxError } from './parse.ts';
