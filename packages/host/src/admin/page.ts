import { createHash } from 'node:crypto';
import { SCRIPT } from './page-script.ts';
import { STYLE } from './page-style.ts';

const sha256 = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** Nothing but its own style, its own script and its own listener. */
export const PAGE_POLICY: string = [
  "default-src 'none'",
  `style-src ${sha256(STYLE)}`,
  `script-src ${sha256(SCRIPT)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The operator's page: one document, whose script draws what the events bring. */
export const PAGE: string = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Custodian</title>
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#servlets">Skip to the servlets</a>
<header>
<h1>Custodian</h1>
<p id="link" role="status">Connecting …</p>
</header>
<noscript><p>This page draws with JavaScript. The same data is at /_custodian/state.json and /metrics, for who sends the token as a bearer; and in <code>custodian ps</code>.</p></noscript>
<main>
<section aria-labelledby="host-title"><h2 id="host-title">Host</h2><dl id="host"></dl></section>
<section id="servlets" aria-labelledby="servlets-title"><h2 id="servlets-title">Servlets</h2><div id="servlet-list"></div></section>
<section aria-labelledby="cells-title"><h2 id="cells-title">Cells</h2><div class="wide"><table><thead><tr>
<th scope="col">Cell</th><th scope="col">Profile</th><th scope="col">Servlets</th><th scope="col">Threads</th><th scope="col">Resident memory</th><th scope="col">Age</th><th scope="col">Watching</th><th scope="col"><span class="hidden">Actions</span></th>
</tr></thead><tbody id="cells"></tbody></table></div></section>
<section aria-labelledby="deaths-title"><h2 id="deaths-title">Obituaries</h2><ol id="obituaries"></ol></section>
<section aria-labelledby="refusals-title"><h2 id="refusals-title">Refused by the host</h2><dl id="refusals"></dl></section>
</main>
<p id="notice" role="alert"></p>
<script>${SCRIPT}</script>
</body>
</html>
`;
