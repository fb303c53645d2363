import { spawn } from 'node:child_process';

/** Opens `url` by the platform's own opener. Resolves to null, or to why it did not work: no reason to stop a server. */
export function openBrowser(url: string, platform: NodeJS.Platform = process.platform): Promise<string | null> {
  const [program, ...args] = openerOf(platform, url);
  return new Promise((resolve) => {
    const opener = spawn(program, args, { stdio: 'ignore', detached: true });
    opener.once('error', (error) => resolve(`${program}: ${error.message}`));
    opener.once('exit', (code) => resolve(code === 0 ? null : `${program} ended with exit code ${code}`));
    // An opener that stays for as long as its browser has opened it.
    setTimeout(() => resolve(null), 3000).unref();
    opener.unref();
  });
}

function openerOf(platform: NodeJS.Platform, url: string): [program: string, ...args: string[]] {
  if (platform === 'darwin') return ['open', url];
  // `start` takes its first quoted argument for a window's title.
  if (platform === 'win32') return ['cmd', '/c', 'start', '""', url];
  return ['xdg-open', url];
}
