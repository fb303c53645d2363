import { type Beacon, findBeacons } from '../admin/beacon.ts';
import type { Action } from '../admin/actions.ts';
import type { HostSnapshot } from '../admin/snapshot.ts';
import { UsageError } from './arguments.ts';

/** No host runs that could be asked, or it would not do what it was asked. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
  readonly code = 'CUSTODIAN_OPERATOR';
}

/** A running host, asked over its operator's listener: what `ps`, `kill` and `top` speak to. */
export class OperatorClient {
  readonly beacon: Beacon;

  constructor(beacon: Beacon) {
    this.beacon = beacon;
  }

  /** The host that runs on this machine under this user; `pid` says which, where there are several. */
  static find(stateDir: string, pid: number | null): OperatorClient {
    const beacons = findBeacons(stateDir).filter((beacon) => pid === null || beacon.pid === pid);
    const [only, ...others] = beacons;
    if (only === undefined) {
      throw new OperatorError(
        pid === null
          ? "Cannot find a host: none runs here under this user with an operator's listener (another --state-dir?)"
          : `Cannot find a host: none with pid ${pid} runs here under this user`,
      );
    }
    if (others.length > 0) {
      const list = beacons.map((beacon) => `  --pid ${beacon.pid}  ${beacon.serves.join(' ')}`).join('\n');
      throw new UsageError(`Cannot tell which host is meant: several run here. Say which:\n${list}`);
    }
    return new OperatorClient(only);
  }

  /** @throws OperatorError, also when the signal is aborted */
  async snapshot(signal: AbortSignal | null = null): Promise<HostSnapshot> {
    return (await (await this.#fetch('/_custodian/state.json', { signal })).json()) as HostSnapshot;
  }

  /** @throws OperatorError with the host's reason */
  async act(action: Action): Promise<void> {
    const response = await this.#fetch('/_custodian/actions', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(action),
    });
    if (!response.ok) throw new OperatorError(((await response.json()) as { error: string }).error);
    await response.body?.cancel();
  }

  async #fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const { url, token, pid } = this.beacon;
    let response: Response;
    try {
      const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${token}` };
      response = await fetch(url + path, { ...init, headers });
    } catch (cause) {
      throw new OperatorError(`Cannot ask the host with pid ${pid}: it does not answer at ${url}`, { cause });
    }
    if (response.status === 401)
      throw new OperatorError(`Cannot ask the host with pid ${pid}: it does not take the token`);
    return response;
  }
}
