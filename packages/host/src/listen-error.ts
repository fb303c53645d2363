/** The port that was asked for is taken. */
export class PortInUseError extends Error {
  override readonly name = 'PortInUseError';
  readonly code = 'CUSTODIAN_PORT_IN_USE';
  readonly port: number;

  constructor(host: string, port: number, cause: unknown) {
    super(`Cannot listen on ${host} port ${port}: the port is in use`, { cause });
    this.port = port;
  }
}

/** The system does not let the host listen where it was asked to. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  readonly code = 'CUSTODIAN_LISTEN';
  readonly host: string;
  readonly port: number;

  constructor(host: string, port: number, cause: NodeJS.ErrnoException) {
    super(`Cannot listen on ${host} port ${port}: ${reasonOf(cause, port)}`, { cause });
    this.host = host;
    this.port = port;
  }
}

/** What a listener's error means. */
export function listenError(host: string, port: number, error: NodeJS.ErrnoException): PortInUseError | ListenError {
  return error.code === 'EADDRINUSE' ? new PortInUseError(host, port, error) : new ListenError(host, port, error);
}

function reasonOf({ code = '', message }: NodeJS.ErrnoException, port: number): string {
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NONAME':
      return 'there is no such address or name';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address';
    case 'EAFNOSUPPORT':
      return 'this machine has no addresses of that kind';
    case 'EACCES':
      return port < 1024 ? 'ports below 1024 are for privileged users here' : 'the system does not allow it';
    default:
      return message;
  }
}
