// Hands a place over to the map of the phone, in the datum that the map draws in. Every Chinese map draws GCJ-02; a WGS-84 position
// given to it as it is would be half a kilometre off. The same approximation as the platform's core.registry.datum.

export type Datum = "WGS-84" | "GCJ-02";
export interface Spot {
  lon: number;
  lat: number;
}

const SEMI_MAJOR_M = 6_378_245.0;
const ECCENTRICITY_SQUARED = 0.006_693_421_622_965_943;
const { PI, abs, cos, sin, sqrt } = Math;
const degrees = (radians: number): number => (radians * 180) / PI;

/** The GCJ-02 position of a WGS-84 position in China, degrees. */
export function wgs84ToGcj02({ lon, lat }: Spot): Spot {
  const x = lon - 105.0;
  const y = lat - 35.0;
  const waves = 20.0 * sin(6.0 * x * PI) + 20.0 * sin(2.0 * x * PI);
  let north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * sqrt(abs(x)) + (waves * 2.0) / 3.0;
  north += ((20.0 * sin(y * PI) + 40.0 * sin((y / 3.0) * PI)) * 2.0) / 3.0;
  north += ((160.0 * sin((y / 12.0) * PI) + 320.0 * sin((y * PI) / 30.0)) * 2.0) / 3.0;
  let east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * sqrt(abs(x)) + (waves * 2.0) / 3.0;
  east += ((20.0 * sin(x * PI) + 40.0 * sin((x / 3.0) * PI)) * 2.0) / 3.0;
  east += ((150.0 * sin((x / 12.0) * PI) + 300.0 * sin((x / 30.0) * PI)) * 2.0) / 3.0;
  const latitude = (lat * PI) / 180;
  const bulge = 1.0 - ECCENTRICITY_SQUARED * sin(latitude) ** 2;
  const meridianM = (SEMI_MAJOR_M * (1.0 - ECCENTRICITY_SQUARED)) / (bulge * sqrt(bulge));
  const parallelM = (SEMI_MAJOR_M / sqrt(bulge)) * cos(latitude);
  return { lon: lon + degrees(east / parallelM), lat: lat + degrees(north / meridianM) };
}

/** Where a Chinese map has to be told to go. */
export function onTheMap(spot: Spot, datum: Datum): Spot {
  return datum === "WGS-84" ? wgs84ToGcj02(spot) : spot;
}

export interface MapLink {
  map: "amap" | "baidu" | "apple";
  href: string;
}

/** Links that open each map's own navigation. Without coordinates they search for the address. */
export function mapLinks(address: string, spot: Spot | null, datum: Datum | null): MapLink[] {
  const name = encodeURIComponent(address);
  if (spot === null || datum === null) {
    return [
      { map: "amap", href: `https://uri.amap.com/search?keyword=${name}&src=gas-sentinel&callnative=1` },
      { map: "baidu", href: `https://api.map.baidu.com/geocoder?address=${name}&output=html&src=gas-sentinel` },
      { map: "apple", href: `https://maps.apple.com/?q=${name}` },
    ];
  }
  const { lon, lat } = onTheMap(spot, datum);
  const [x, y] = [lon.toFixed(6), lat.toFixed(6)];
  return [
    { map: "amap", href: `https://uri.amap.com/navigation?to=${x},${y},${name}&mode=car&coordinate=gaode&src=gas-sentinel&callnative=1` },
    // The marker page needs no place to start from, and takes the datum by name.
    { map: "baidu", href: `https://api.map.baidu.com/marker?location=${y},${x}&title=${name}&content=${name}&coord_type=gcj02&output=html&src=gas-sentinel` },
    { map: "apple", href: `https://maps.apple.com/?daddr=${y},${x}&q=${name}&dirflg=d` },
  ];
}
