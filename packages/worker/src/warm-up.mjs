// The entry of the thread that a cell starts before it has a servlet: it does what the first servlet's thread will do, and
// then takes the types off modules for its supervisor, and compiles them.
import { stripTypeScriptTypes } from 'node:module';
import { extname } from 'node:path';
import { workerData } from 'node:worker_threads';
import './boot.mjs';

/** @type {{ entry: string, packages: Record<string, string>, servlet: { root: string, text: string }, port: import('node:worker_threads').MessagePort, answers: Int32Array }} */
const { entry, packages, servlet, port, answers } = workerData;
const { root, text } = servlet;
/** @param {string} path */
const runtime = (path) => import(new URL(`${path}${extname(entry)}`, entry).href);
await import(entry);
const { compileAhead, compileModule, installCompiler } = await runtime('servlet/compile-hook');
const { installResolver } = await runtime('servlet/load');
await runtime('servlet/continuation-servlet');
installResolver();
/** @type {Record<string, string>} */
const code = {};
installCompiler({ root, packages, code, compiledPackages: [], warnings: [], ahead: [], port: null, persistence: null });
const url = new URL(`servlet${extname(entry)}`, root).href;
code[url] = compileModule(url, stripTypeScriptTypes(text), { original: text }).code;
await import(url);
globalThis.gc?.();

port.on('message', (module) => {
  if (typeof module !== 'string') return port.postMessage(compileAhead(module));
  let stripped = null;
  try {
    stripped = stripTypeScriptTypes(module);
  } catch {
    // Its supervisor will meet the error itself.
  }
  port.postMessage(stripped);
  Atomics.add(answers, 0, 1);
  Atomics.notify(answers, 0);
});
port.postMessage('warm');
