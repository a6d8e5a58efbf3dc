// Where the phone is, as its browser says it: WGS-84, by the standard of the Geolocation API.

import type { Place } from "../queue/act";

export interface Found extends Place {
  /** It is no farther off than so, m. */
  withinM: number;
}

/** The browser gives none at all; he refused it there; it could not be found. */
export type NoPlace = "none" | "refused" | "not_found";

const REFUSED = 1;

/** Asks the browser, and that one asks him the first time. Resolves with the reason where there is no place. */
export function placeNow(): Promise<Found | NoPlace> {
  return new Promise((resolve) => {
    if (!("geolocation" in navigator) || !isSecureContext) return resolve("none");
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve({ lon: coords.longitude, lat: coords.latitude, datum: "WGS-84", withinM: coords.accuracy }),
      (error) => resolve(error.code === REFUSED ? "refused" : "not_found"),
      { enableHighAccuracy: true, timeout: 20_000, maximumAge: 10_000 },
    );
  });
}
