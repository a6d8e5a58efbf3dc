// One datum on the map: everything is drawn in WGS-84, because the districts' outlines are. Homes of the registry name either datum,
// and a GCJ-02 position taken for WGS-84 stands half a kilometre off, in another estate. The same formula as core/registry/datum.py.

/** Longitude and latitude, degrees. */
export type Position = readonly [number, number];

const SEMI_MAJOR_M = 6_378_245;
const ECCENTRICITY_SQUARED = 0.006_693_421_622_965_943;
const radians = (degrees: number) => (degrees * Math.PI) / 180;
const degrees = (value: number) => (value * 180) / Math.PI;

/** The GCJ-02 position of a WGS-84 position in China. */
export function wgs84ToGcj02(lon: number, lat: number): Position {
  const { sin, sqrt, abs, cos, PI } = Math;
  const x = lon - 105;
  const y = lat - 35;
  const waves = 20 * sin(6 * x * PI) + 20 * sin(2 * x * PI);
  let north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + (waves * 2) / 3;
  north += ((20 * sin(y * PI) + 40 * sin((y / 3) * PI)) * 2) / 3;
  north += ((160 * sin((y / 12) * PI) + 320 * sin((y * PI) / 30)) * 2) / 3;
  let east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + (waves * 2) / 3;
  east += ((20 * sin(x * PI) + 40 * sin((x / 3) * PI)) * 2) / 3;
  east += ((150 * sin((x / 12) * PI) + 300 * sin((x / 30) * PI)) * 2) / 3;
  const bulge = 1 - ECCENTRICITY_SQUARED * sin(radians(lat)) ** 2;
  const meridianM = (SEMI_MAJOR_M * (1 - ECCENTRICITY_SQUARED)) / (bulge * sqrt(bulge));
  const parallelM = (SEMI_MAJOR_M / sqrt(bulge)) * cos(radians(lat));
  return [lon + degrees(east / parallelM), lat + degrees(north / meridianM)];
}

/** Where a place of the registry is drawn; null where nobody wrote down where it is, or in which datum. */
export function placed(lon: number | null | undefined, lat: number | null | undefined, datum: string | null | undefined): Position | null {
  if (lon == null || lat == null || !Number.isFinite(lon) || !Number.isFinite(lat)) return null;
  if (datum === "WGS-84") return [lon, lat];
  if (datum !== "GCJ-02") return null;
  let guessLon = lon;
  let guessLat = lat;
  // The offset changes by far less than itself from place to place: three rounds are exact to far below a metre.
  for (let round = 0; round < 3; round++) {
    const [thereLon, thereLat] = wgs84ToGcj02(guessLon, guessLat);
    guessLon += lon - thereLon;
    guessLat += lat - thereLat;
  }
  return [guessLon, guessLat];
}
