#!/usr/bin/env node
// Starts the command line under a Node that strips types. An old Node only gets as far as looking for a newer one.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { NODE_MIN_MAJOR, complaint, findNode, majorOf } from './find-node.js';

// Set for the Node that was found, so that a wrong answer can not make a chain of them.
const MARK = 'CUSTODIAN_FOUND_NODE';

if (majorOf(process.version) >= NODE_MIN_MAJOR) {
  import('../src/cli.ts').then(
    (cli) => cli.main(process.argv.slice(2)),
    (error) => {
      console.error(error);
      process.exitCode = 1;
    },
  );
} else {
  const program = process.env[MARK] === undefined ? findNode() : null;
  if (program === null) {
    console.error(complaint('custodian'));
    process.exitCode = 1;
  } else {
    runWith(program);
  }
}

function runWith(program) {
  const args = [fileURLToPath(import.meta.url)].concat(process.argv.slice(2));
  const env = Object.assign({}, process.env);
  env[MARK] = program;
  const child = spawn(program, args, { stdio: 'inherit', env: env });
  // A terminal sends Ctrl-C to both processes, `kill` only to this one. Passing on is right for both, because the
  // command line takes equal signals within a moment for one.
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
  const listeners = signals.map((signal) => {
    const listener = () => child.kill(signal);
    process.on(signal, listener);
    return listener;
  });
  child.on('error', (error) => {
    console.error('custodian cannot start ' + program + ': ' + error.message);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    signals.forEach((name, index) => process.removeListener(name, listeners[index]));
    if (signal === null) {
      process.exitCode = code;
    } else {
      // Die of what the child died of, so that the caller sees the same end.
      process.kill(process.pid, signal);
    }
  });
}
