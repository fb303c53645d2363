import { ConfigError } from './config-error.ts';
import { rootOf } from './dispatcher/standard.ts';
import type { ServeOptions } from './options.ts';
import { pathOf } from './paths.ts';
import type { CertificateFiles } from './tls.ts';

/** The certificate that the options ask for; null: none. @throws ConfigError when they name half of one */
export function certificateOption({ ssl, sslCert, sslKey, serverRootPath }: ServeOptions): CertificateFiles | null {
  if (ssl === false || (ssl === undefined && sslCert === undefined && sslKey === undefined)) return null;
  if ((sslCert === undefined) !== (sslKey === undefined))
    throw new ConfigError(
      `Cannot speak HTTPS: "${sslCert === undefined ? 'sslCert' : 'sslKey'}" is missing beside the other`,
    );
  const inRoot = rootOf(serverRootPath);
  const find = (name: string): string => inRoot(name) ?? pathOf(name);
  return {
    cert: sslCert === undefined ? find('server-cert.pem') : pathOf(sslCert),
    key: sslKey === undefined ? find('private-key.pem') : pathOf(sslKey),
  };
}
