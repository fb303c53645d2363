/** Bars in groups, upright, as one SVG image. */
export interface BarChart {
  title: string;
  unit: string;
  /** A colour and a name for each bar of a group. */
  series: { name: string; colour: string }[];
  /** null: that series has nothing there. `limit`: drawn as a line over the group. */
  groups: { label: string; values: (number | null)[]; limit?: number }[];
}

const WIDTH = 920,
  HEIGHT = 260,
  LEFT = 56,
  TOP = 44,
  PLOT = 150;

/** The charts below each other. */
export function svgOf(charts: readonly BarChart[]): string {
  const parts = charts.map((chart, at) => `<g transform="translate(0 ${at * HEIGHT})">${drawn(chart)}</g>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${charts.length * HEIGHT}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}

function drawn({ title, unit, series, groups }: BarChart): string {
  const largest = Math.max(
    1e-9,
    ...groups.flatMap(({ values, limit }) => [...values.map((each) => Math.abs(each ?? 0)), limit ?? 0]),
  );
  const height = (value: number): number => (Math.abs(value) / largest) * PLOT;
  const groupWidth = (WIDTH - LEFT - 16) / groups.length;
  const barWidth = Math.min(26, (groupWidth - 8) / series.length);
  const out = [
    `<text x="${LEFT}" y="16" font-size="13" font-weight="bold">${escaped(title)}</text>`,
    ...series.map(
      ({ name, colour }, at) =>
        `<rect x="${LEFT + at * 170}" y="24" width="10" height="10" fill="${colour}"/><text x="${LEFT + at * 170 + 14}" y="33">${escaped(name)}</text>`,
    ),
    `<line x1="${LEFT}" y1="${TOP + PLOT}" x2="${WIDTH - 16}" y2="${TOP + PLOT}" stroke="#444"/>`,
    `<text x="${LEFT - 6}" y="${TOP + 8}" text-anchor="end">${Number(largest.toPrecision(3))}</text>`,
    `<text x="${LEFT - 6}" y="${TOP + PLOT}" text-anchor="end">0 ${escaped(unit)}</text>`,
  ];
  for (const [at, { label, values, limit }] of groups.entries()) {
    const left = LEFT + at * groupWidth + (groupWidth - barWidth * series.length) / 2;
    for (const [which, value] of values.entries()) {
      if (value === null) continue;
      const x = left + which * barWidth;
      out.push(
        `<rect x="${x.toFixed(1)}" y="${(TOP + PLOT - height(value)).toFixed(1)}" width="${(barWidth - 2).toFixed(1)}" height="${Math.max(0.5, height(value)).toFixed(1)}" fill="${(series[which] as { colour: string }).colour}"><title>${escaped(label)}: ${value.toFixed(2)} ${escaped(unit)}</title></rect>`,
      );
    }
    if (limit !== undefined) {
      const y = (TOP + PLOT - height(limit)).toFixed(1);
      out.push(
        `<line x1="${left.toFixed(1)}" y1="${y}" x2="${(left + barWidth * series.length).toFixed(1)}" y2="${y}" stroke="#c00" stroke-width="1.5"/>`,
      );
    }
    const middle = (LEFT + (at + 0.5) * groupWidth).toFixed(1);
    out.push(
      `<text transform="translate(${middle} ${TOP + PLOT + 12}) rotate(-28)" text-anchor="end">${escaped(label)}</text>`,
    );
  }
  return out.join('\n');
}

const escaped = (text: string): string => text.replace(/[&<>]/g, (found) => `&#${found.charCodeAt(0)};`);
