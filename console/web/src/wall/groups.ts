// Open incidents as marks on the map: few enough to be read and drawn however many there are. A building's incidents stand on one spot and
// are one mark; above forty in view an estate's are; what would still cover each other is joined. Pure; places are pixels of the frame.

import { alarmOf, stepOf } from "@/shared/words";
import { levelOf, pixelOf, type Camera, type Frame } from "./camera";
import { placed, type Position } from "./datum";
import { placeOf } from "./place";
import type { Incident } from "./things";

export const MARKS_MAX = 40;

/** What wants an eye: something goes wrong, somebody is at work, or it is made safe. */
export type Heat = "bad" | "busy" | "safe";

export interface Mark {
  key: string;
  /** How much one mark stands for. */
  covers: "incident" | "building" | "estate" | "area";
  x: number;
  y: number;
  place: Position;
  places: Position[];
  heat: Heat;
  /** In the order in which they came in: what matters most first. */
  incidents: Incident[];
}

export interface Marks {
  marks: Mark[];
  /** Open incidents outside of the frame, and such that nobody can place. */
  outside: number;
  unplaced: number;
}

/**
 * `now` is the server's clock: a close that is not confirmed in its time goes wrong without anybody saying so. What alarms at the desk is not
 * safe here, however far its crew is.
 */
export function heatOf(incident: Incident, now: number): Heat {
  if (alarmOf(incident, now) !== null) return "bad";
  const step = stepOf(incident);
  return step === "made_safe" || step === "tested" || step === "restored" ? "safe" : "busy";
}

/** What stands for a heat beside its colour, in the legend and in the mark of one incident. */
export const SIGNS: Record<Heat, string> = { bad: "!", busy: "", safe: "✓" };

/** What a mark shows: a number takes the place of the sign, and stands beside it where something goes wrong. */
export function signsOf({ heat, incidents }: Pick<Mark, "heat" | "incidents">): { inside: string | number; beside: string } {
  if (incidents.length === 1) return { inside: SIGNS[heat], beside: "" };
  return { inside: incidents.length, beside: heat === "bad" ? SIGNS.bad : "" };
}

const HOT: Record<Heat, number> = { bad: 2, busy: 1, safe: 0 };

export const positionOf = (incident: Incident): Position | null => placed(incident.lon, incident.lat, incident.coord_datum);

/** `incidents` in the order of what matters; `reach` is how near two marks may stand, in pixels; `now` Unix ms. */
export function marksOf(incidents: readonly Incident[], frame: Frame, camera: Camera, reach: number, now: number): Marks {
  const inView: { incident: Incident; place: Position; x: number; y: number }[] = [];
  let outside = 0;
  let unplaced = 0;
  for (const incident of incidents) {
    const place = positionOf(incident);
    if (place === null) {
      unplaced += 1;
      continue;
    }
    const [x, y] = pixelOf(frame, camera, place);
    if (x < 0 || y < 0 || x > frame.width || y > frame.height) outside += 1;
    else inView.push({ incident, place, x, y });
  }
  const many = inView.length > MARKS_MAX;
  const level = levelOf(frame, camera);
  const near = level === "estate" || level === "building";
  const marks = new Map<string, Mark>();
  for (const { incident, place, x, y } of inView) {
    const { estate, building } = placeOf(incident);
    // One name may stand in two communities of a district: what is kilometres apart is not one estate.
    const known = `${incident.district_code ?? ""}/${estate}/${Math.round(place[0] * 50)},${Math.round(place[1] * 50)}`;
    const spot = `${place[0].toFixed(5)},${place[1].toFixed(5)}`;
    const key = estate === "" ? spot : many && !near ? known : `${known}/${building || spot}`;
    const found = marks.get(key);
    const mark: Mark = { key, covers: "incident", x, y, place, places: [place], heat: heatOf(incident, now), incidents: [incident] };
    if (found) add(found, mark);
    else marks.set(key, mark);
  }
  let joined = [...marks.values()];
  for (let distance = reach; ; distance *= 1.5) {
    joined = apart(joined, distance);
    if (joined.length <= MARKS_MAX) break;
  }
  for (const mark of joined) mark.covers = coverOf(mark);
  return { marks: joined, outside, unplaced };
}

function add(host: Mark, mark: Mark): void {
  host.incidents.push(...mark.incidents);
  host.places.push(...mark.places);
  if (HOT[mark.heat] > HOT[host.heat]) host.heat = mark.heat;
}

/** Marks nearer than `distance` become one, standing where the greater of them stands. */
function apart(marks: readonly Mark[], distance: number): Mark[] {
  const greater = [...marks].sort((a, b) => b.incidents.length - a.incidents.length || (a.key < b.key ? -1 : 1));
  const kept: Mark[] = [];
  for (const mark of greater) {
    const host = kept.find((other) => Math.hypot(other.x - mark.x, other.y - mark.y) < distance);
    if (host) add(host, mark);
    else kept.push(mark);
  }
  return kept;
}

function coverOf(mark: Mark): Mark["covers"] {
  if (mark.incidents.length === 1) return "incident";
  const places = mark.incidents.map((incident) => ({ ...placeOf(incident), district: incident.district_code }));
  const [first] = places;
  if (first === undefined || first.estate === "") return mark.places.every((place) => same(place, mark.place)) ? "building" : "area";
  if (!places.every((place) => place.estate === first.estate && place.district === first.district)) return "area";
  return first.building !== "" && places.every((place) => place.building === first.building) ? "building" : "estate";
}

const same = (a: Position, b: Position): boolean => Math.abs(a[0] - b[0]) < 1e-5 && Math.abs(a[1] - b[1]) < 1e-5;
