import { ProtocolError, type Ready } from '@custodian/protocol';

/** A path of this site; a second slash or a backslash would lead to another. */
const START_URL = /^\/(?![/\\])[\x21-\x7e]{0,2000}$/;

/** What a thread says of its servlet, checked: what it should not say counts as not said. @throws ProtocolError when it is not JSON */
export function readReady(json: string): Ready {
  const ready: Ready = { kind: 'servlet', limits: {}, takesRawBody: false };
  try {
    const value = JSON.parse(json) as {
      kind?: unknown;
      limits?: Record<string, unknown>;
      takesRawBody?: unknown;
      revives?: unknown;
      startUrl?: unknown;
    };
    if (typeof value.startUrl === 'string' && START_URL.test(value.startUrl)) ready.startUrl = value.startUrl;
    if (value.kind === 'fetch') ready.kind = 'fetch';
    ready.revives = value.revives === true;
    ready.takesRawBody = value.takesRawBody === true;
    for (const name of ['heapMb', 'cpuMs', 'wallMs'] as const) {
      const limit = value.limits?.[name];
      if (typeof limit === 'number' && limit > 0) ready.limits[name] = limit;
    }
  } catch {
    throw new ProtocolError('Cannot read what a thread says of its servlet: it is not JSON');
  }
  return ready;
}
