const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MONTH = MONTHS.join('|');
/** RFC 9110 §5.6.7: the present form, and two that a recipient must still know. */
const FORMS = [
  new RegExp(`^[A-Z][a-z]{2}, (?<day>\\d\\d) (?<month>${MONTH}) (?<year>\\d{4}) (?<time>\\d\\d:\\d\\d:\\d\\d) GMT$`),
  new RegExp(`^[A-Z][a-z]+day, (?<day>\\d\\d)-(?<month>${MONTH})-(?<year>\\d\\d) (?<time>\\d\\d:\\d\\d:\\d\\d) GMT$`),
  new RegExp(`^[A-Z][a-z]{2} (?<month>${MONTH}) (?<day>[ \\d]\\d) (?<time>\\d\\d:\\d\\d:\\d\\d) (?<year>\\d{4})$`),
];

/** ms since 1970; null when the text is no HTTP-date. `nowMs` tells the century of a year of two digits. */
export function parseHttpDate(text: string, nowMs: number = Date.now()): number | null {
  for (const form of FORMS) {
    const groups = form.exec(text)?.groups;
    if (groups === undefined) continue;
    const { day = '', month = '', year = '', time = '' } = groups;
    const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number);
    if (hours > 23 || minutes > 59 || seconds > 60) return null;
    const midnight = Date.UTC(fullYear(year, nowMs), MONTHS.indexOf(month), Number(day));
    // Date.UTC takes a day that the month does not have for one of the next.
    if (new Date(midnight).getUTCDate() !== Number(day)) return null;
    return midnight + ((hours * 60 + minutes) * 60 + seconds) * 1000;
  }
  return null;
}

/** A year that seems to be more than 50 years ahead is the last one with these digits. */
function fullYear(year: string, nowMs: number): number {
  if (year.length === 4) return Number(year);
  const now = new Date(nowMs).getUTCFullYear();
  const guess = Math.floor(now / 100) * 100 + Number(year);
  return guess > now + 50 ? guess - 100 : guess;
}
