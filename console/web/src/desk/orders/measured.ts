// Pressures as they are typed at the desk: with a point or a comma, in kPa. Anything that is no number is not sent.

export interface Measured {
  start_kpa: number;
  end_kpa: number;
  minutes: number;
}

function value(text: string, least: number, most: number): number | null {
  const plain = text.trim().normalize("NFKC").replace(",", ".");
  if (!/^\d+(\.\d+)?$/.test(plain)) return null;
  const found = Number(plain);
  return found >= least && found <= most ? found : null;
}

const MOST_KPA = 1000;
const MOST_MINUTES = 1440;

export function measured(start: string, end: string, minutes: string): Measured | null {
  const [start_kpa, end_kpa, held] = [value(start, 0, MOST_KPA), value(end, 0, MOST_KPA), value(minutes, 0, MOST_MINUTES)];
  return start_kpa === null || end_kpa === null || held === null || held === 0 ? null : { start_kpa, end_kpa, minutes: held };
}
