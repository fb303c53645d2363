import { basicCredentials } from '../http/basic-credentials.ts';
import type { Exchange } from '../http/exchange.ts';
import { pathOf } from '../paths.ts';
import type { Dispatcher } from './dispatcher.ts';
import { type Realm, Realms, RealmsFile } from './realms.ts';

/**
 * Passes what nobody has to be known for, or whose visitor is known: by HTTP's Basic scheme, which wants HTTPS around it.
 * A file is JSON, a list of realms; a change counts within a tenth of a second; while it is missing or wrong, everything is closed.
 * @throws ConfigError when the list is wrong
 * @see Racket `passwords:make`, whose missing file opens everything
 *
 * @example
 * ```ts
 * passwords([{ realm: 'Office', path: '^/office', users: { ada: 'countess' } }]);
 * ```
 */
export function passwords(source: string | URL | readonly Realm[]): Dispatcher {
  const list = typeof source === 'string' || source instanceof URL ? null : new Realms(source);
  const path = list === null ? pathOf(source as string | URL) : '';
  return (pass, site) => {
    const file = list === null ? new RealmsFile(path, (text) => site.warn(text)) : null;
    if (file !== null) site.passwordFiles.add(file);
    const decide = (exchange: Exchange, realms: Realms | null): void => {
      if (realms === null) return refuseAll(exchange);
      if (realms.isEmpty) return pass(exchange);
      // What can't be read may be meant for a realm.
      if (exchange.path === null) return refuseUnreadable(exchange);
      const closed = realms.closedTo(exchange.path, basicCredentials(exchange.header('authorization')));
      if (closed === null) return pass(exchange);
      askFor(closed, exchange);
    };
    return (exchange) => {
      const realms = file === null ? list : file.realms;
      if (!(realms instanceof Promise)) return decide(exchange, realms);
      return realms.then((found) => {
        if (!exchange.isDone) decide(exchange, found);
      });
    };
  };
}

function askFor(realm: string, exchange: Exchange): void {
  exchange.refuseKept({
    status: 401,
    title: 'Authorization Required',
    text: 'This page is for those who have a name and a password for it.',
    code: 'REQUEST_AUTHORIZATION',
    headers: { 'WWW-Authenticate': `Basic realm="${realm.replace(/["\\]/g, '\\$&')}", charset="UTF-8"` },
  });
}

function refuseAll(exchange: Exchange): void {
  exchange.refuse({
    status: 503,
    title: 'Not available at the moment',
    text: 'This server can not tell who may see its pages.',
    code: 'CUSTODIAN_PASSWORDS',
    retryAfterSeconds: 10,
  });
}

function refuseUnreadable(exchange: Exchange): void {
  exchange.refuse({
    status: 400,
    title: 'Bad request',
    text: 'This address can not be read.',
    code: 'REQUEST_MALFORMED',
  });
}
