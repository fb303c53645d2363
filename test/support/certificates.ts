import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Without the program `openssl` there is nothing to make certificates with. */
export const hasOpenssl: boolean = ((): boolean => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('skipped: there is no openssl here to make certificates with');
    return false;
  }
})();

/** Writes `<name>.cert.pem` and `<name>.key.pem`: a certificate for localhost, signed by itself, whose common name is `name`. */
export function makeCertificate(directory: string, name: string): { cert: string; key: string } {
  const cert = join(directory, `${name}.cert.pem`);
  const key = join(directory, `${name}.key.pem`);
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const keyArguments = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key];
  execFileSync('openssl', ['req', '-x509', ...keyArguments, '-out', cert, '-days', '2', ...subject], {
    stdio: 'ignore',
  });
  return { cert, key };
}
