import { LIMITS } from '../limits.ts';

export const HELP: string = `custodian: a servlet host. Every servlet runs capped, timed and killable, in a process of its own.

Usage:
  custodian serve <file or directory>... [options]   serve a servlet, or every .ts, .js and .mjs in a directory
  custodian check <file or directory>... [options]   what is provably wrong with flows of pages, before they run
  custodian doctor [--json]                          which walls this machine has, and what each stops
  custodian ps | top | kill TARGET                   what a running host does, live, and ending a part of it
  custodian adjust SERVLET NAME=VALUE...             other limits for a servlet of a running host
  custodian --help | --version

Run "custodian serve --help" for the options of serve.

Exit codes: 0 done, 1 it failed, 2 the command line or the config file is wrong, or names what is not there.
`;

export const SERVE_HELP: string = `Usage: custodian serve [<file or directory>...] [options]

Serves each servlet at /<its name>, "index" at / as well. Prints a line that begins "Custodian ready at http://..." when it is.
What the host has to say goes to the standard output; log lines (JSON, one each) go to the standard error.

Where to listen:
  -p, --port N             port; 0 takes any free one (default 8080)
      --host H             address (default 127.0.0.1)
      --ssl                HTTPS, by server-cert.pem and private-key.pem of --root or of this directory (default port 8443)
      --cert FILE          HTTPS by this certificate (PEM); read again when it changes
      --key FILE           and this key
      --connection-close   one request per connection
      --open               open the browser when ready
      --quit               /quit ends the server, for this machine alone

What is served besides, in this order:
      --passwords FILE     who may see which paths: JSON, [{ "realm": "", "path": "regexp", "users": { "name": "password" } }]
      --servlets-root DIR  servlets that are loaded when they are asked for; /conf/refresh-servlets has them loaded anew
      --files DIR          files, as often as needed
      --root DIR           a directory with htdocs/, conf/not-found.html, mime.types, as far as they are there

How servlets are held (a servlet's own options in the config file go before these):
      --unit U             what has a thread to itself: connection (default), instance or servlet
      --profile P          guest (default): Node's permission model and walls in the thread besides the caps;
                           trusted: caps only; jail: namespaces, a user and a filter of system calls besides
      --limit NAME=VALUE   any limit of the table, as often as needed: --limit heapMb=100 --limit wallMs=5000
      --warm-cells N       empty cells kept booted (default 1)

The operator's page, on a listener of its own with a token; ps, top, kill and adjust speak to it:
      --admin-port N       its port on 127.0.0.1 (default: any free one, which is printed)
      --no-admin           none

What is said:
      --log WHAT           requests (default), events, or off
      --log-file FILE      where log lines go instead of the standard error; opened anew when it is rotated away
      --log-format F       how requests are logged: json (default), apache-default, combined, extended or
                           parenthesized-default; events stay JSON, on the standard error
      --production         error pages without causes and stacks (the default with NODE_ENV=production)
      --development        error pages with them

      --config FILE        options of serve() as JSON, or as the default export of a .ts or .js; options given here win.
                           Without it, and with nothing named to serve: custodian.config.ts or .json of this directory
      --store STORE        where stateless servlets keep long states: sqlite[:FILE] (default), directory[:PATH], memory,
                           redis://... or postgres://...
      --key-file FILE      keys that seal their states (default: "keys" in the state directory; or CUSTODIAN_KEYS)
      --state-dir DIR      where what outlives a cell is kept (default: .custodian in the system's temp directory)
  -h, --help               this page

Signals: SIGTERM or SIGINT closes, with up to 5 s for running requests; a second one ends at once.

Limits and their defaults:
${Object.entries(LIMITS)
  .map(([name, limit]) => `  ${name.padEnd(22)} ${String(limit.default).padStart(7)}  ${limit.what}`)
  .join('\n')}
`;

const OPERATOR_OPTIONS = `      --state-dir DIR      of the host that is meant, if it was given one
      --pid N              of the host that is meant, where several run
  -h, --help               this page
`;

export const PS_HELP: string = `Usage: custodian ps [--json]

What a host that runs on this machine under this user is doing: its servlets, threads and cells.
${OPERATOR_OPTIONS}`;

export const TOP_HELP: string = `Usage: custodian top [--count N]

The same, drawn anew each second until Ctrl-C or q; with --count, so many times.
${OPERATOR_OPTIONS}`;

export const KILL_HELP: string = `Usage: custodian kill TARGET

Ends a cell (its pid), a thread (CELL.THREAD, as ps shows it) or all threads of a servlet (its name). What ran there is
answered with a page that says so, and the servlet gets a fresh thread when it is asked for.
${OPERATOR_OPTIONS}`;

export const ADJUST_HELP: string = `Usage: custodian adjust SERVLET NAME=VALUE...

Gives a servlet other limits while its host runs: custodian adjust shop heapMb=100 cpuMs=2000. What runs is held to them, too: a
thread over its new memory cap collects its garbage, and is ended if that does not help. A servlet's own limits still
tighten them. A restart of the host forgets it.
${OPERATOR_OPTIONS}`;

export const CHECK_HELP: string = `Usage: custodian check <file or directory>... [--json] [--stateless]

Reads servlets, and all that they import by relative paths, and tells what it can prove of their flows of pages: values
that can't be saved and are held across a suspension of a stateless servlet, suspensions that can't be captured, and
locals that all windows share. Nothing is run. What it does not find may be wrong all the same.

      --stateless          as if they were stateless, for those that the config file makes so
      --json               the same as JSON: files, and findings with severity, code, message, file, line, column,
                           variable, path and suspension
  -h, --help               this page

Exits with 1 when there is an error (warnings are none), with 2 when a file is not there.
`;

export const DOCTOR_HELP: string = `Usage: custodian doctor [--json]

Tries every wall that this machine could have, and says what each stops and whether this version uses it; compares the
default caps with the machine's memory; and names what is set in NODE_OPTIONS that would defeat them.
Exits with 1 when a wall is missing without which no servlet is held.
`;
