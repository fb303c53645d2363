import { styleText } from 'node:util';

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
export type Paint = (style: Style, text: string) => string;

interface Screen {
  isTTY?: boolean;
}

/** Colours for a terminal that wants them. @see https://no-color.org: any value but the empty one means no. */
export function createPaint(screen: Screen, env: NodeJS.ProcessEnv): Paint {
  const wantsColour = screen.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  if (!wantsColour) return (_style, text) => text;
  return (style, text) => styleText(style, text, { validateStream: false });
}
