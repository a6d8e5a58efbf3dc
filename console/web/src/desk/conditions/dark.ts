// When a building is dark: most of its homes without mains is one power cut, not a fault in each home.

export interface BuildingCounts {
  homes: number;
  powerless: number;
}

/** The line's own default: fewer homes than this never make a building dark. */
export const DARK_HOMES = 5;

export function isDark(building: BuildingCounts): boolean {
  return building.powerless >= DARK_HOMES && building.powerless * 2 > building.homes;
}
