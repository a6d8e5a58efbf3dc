// The drawn ground of the map: outlines, estates, buildings. Open incidents are no part of it: they are marks of the page itself, which can be
// reached by keyboard and read aloud. Only what is used of ECharts is taken; its tooltips are not, because they write markup.

import { ScatterChart } from "echarts/charts";
import { GeoComponent } from "echarts/components";
import { init, registerMap, use, type EChartsCoreOption, type EChartsType } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";
import type { Language } from "@/shared/i18n";
import { boxOfBoundary, scaleOf, SHRINK, ZOOM, type Camera, type Frame, type Level } from "./camera";
import { keyOf, type Spot } from "./standing";
import type { Boundary, Building, District, Estate, Watched } from "./things";

use([ScatterChart, GeoComponent, LabelLayout, CanvasRenderer]);

export type Chart = EChartsType;

export function newChart(element: HTMLElement): Chart {
  return init(element, null, { renderer: "canvas" });
}

export function useBoundary(name: string, boundary: Boundary): void {
  // A name stands in the middle of its outline's box: the centre of mass puts the names of neighbours on each other.
  const features = boundary.features.map((feature) => {
    const box = boxOfBoundary({ ...boundary, features: [feature] });
    const cp = box === null ? undefined : [(box.west + box.east) / 2, (box.south + box.north) / 2];
    return { ...feature, properties: { ...feature.properties, cp } };
  });
  registerMap(name, { ...boundary, features } as never);
}

/** What of a place's homes cannot be watched as it should be; at a tenth or more the place is drawn in another shape. */
export const WEAK_FROM = 0.1;

export function weakShare({ homes, blind = 0, silent = 0, powerless = 0 }: Watched): number {
  // One home may be all three at once: the greatest is what is known for certain.
  return homes > 0 ? Math.max(blind, silent, powerless) / homes : 0;
}

export interface Ground {
  map: string;
  outlined: boolean;
  frame: Frame;
  camera: Camera;
  level: Level;
  /** The size of a letter, CSS pixels. */
  size: number;
  language: Language;
  roam: boolean;
  stale: boolean;
  districts: ReadonlyMap<string, District>;
  estates: readonly Spot<Estate>[];
  buildings: readonly Spot<Building>[];
  buildingName: (name: string) => string;
}

const INK = { land: "#14202d", line: "#4a6077", name: "#8ea3b7", estate: "#5f8fc2", weak: "#ffc247", building: "#7fb0e0", label: "#c9d6e2", ground: "#0a0f15" };
const STALE = { ...INK, estate: "#6b7682", weak: "#8a8a84", building: "#78828c", label: "#98a4af", name: "#76828e" };
const FACE = 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "WenQuanYi Micro Hei", sans-serif';
const RADIUS: Record<Level, number> = { city: 0.16, district: 0.3, estate: 0.5, building: 0.7 };

/** The drawing's options; a later drawing replaces the earlier one whole. */
export function drawingOf(ground: Ground): EChartsCoreOption {
  const { frame, camera, level, size, language, districts } = ground;
  const ink = ground.stale ? STALE : INK;
  const font = { fontSize: Math.round(size), fontFamily: FACE, textBorderColor: ink.ground, textBorderWidth: 3 };
  const near = level === "estate" || level === "building";
  // Few points may be large, a thousand of them would cover the city.
  const crowd = level === "city" ? Math.min(2.6, Math.max(1, Math.sqrt(400 / Math.max(1, ground.estates.length)))) : 1;
  const scale = RADIUS[level] * size * crowd;
  const label = { show: level !== "city" && !near, formatter: ({ data }: { data: { name: string } }) => data.name, position: "bottom", distance: 2, color: ink.label, ...font };
  const spotOf = (name: string, { thing, place }: Spot<Watched>) => ({ name, value: [place[0], place[1], thing.homes] });
  const sized = (value: number[]) => scale * Math.min(2.4, 0.5 + Math.sqrt((value[2] ?? 0) / 150));
  const estates = near && ground.buildings.length > 0 ? [] : ground.estates;
  const shapes = (id: string, spots: readonly { weak: boolean; data: object }[], plain: object, more: object) => [
    { id, type: "scatter", coordinateSystem: "geo", geoIndex: 0, animation: false, data: spots.filter(({ weak }) => !weak).map(({ data }) => data), ...plain, ...more },
    {
      id: `${id}-weak`, type: "scatter", coordinateSystem: "geo", geoIndex: 0, animation: false, data: spots.filter(({ weak }) => weak).map(({ data }) => data), ...plain,
      symbol: "triangle", itemStyle: { color: ink.weak, borderColor: ink.ground, borderWidth: 1 }, ...more,
    },
  ];
  return {
    animation: false,
    backgroundColor: "transparent",
    geo: {
      map: ground.map,
      aspectScale: SHRINK,
      layoutCenter: ["50%", "50%"],
      layoutSize: scaleOf(frame).layoutSize,
      center: [...camera.center],
      zoom: camera.zoom,
      roam: ground.roam,
      scaleLimit: ZOOM,
      silent: true,
      itemStyle: { areaColor: ground.outlined ? ink.land : "transparent", borderColor: ground.outlined ? ink.line : "transparent", borderWidth: 1.5 },
      label: {
        show: ground.outlined && !near,
        ...font,
        fontSize: Math.round(size * 0.9),
        color: ink.name,
        formatter: ({ name }: { name: string }) => nameOf(name, districts, language),
      },
    },
    series: [
      ...shapes(
        "estates",
        estates.map((spot) => ({ weak: weakShare(spot.thing) >= WEAK_FROM, data: { ...spotOf(spot.thing.estate, spot), key: keyOf(spot.thing) } })),
        { symbol: "circle", symbolSize: sized, itemStyle: { color: ink.estate, opacity: 0.85, borderColor: ink.ground, borderWidth: 1 }, label, labelLayout: { hideOverlap: true } },
        { cursor: "pointer" },
      ),
      ...shapes(
        "buildings",
        (near ? ground.buildings : []).map((spot) => ({ weak: weakShare(spot.thing) >= WEAK_FROM, data: spotOf(ground.buildingName(spot.thing.building), spot) })),
        { symbol: "rect", symbolSize: size * (level === "building" ? 1.2 : 0.7), itemStyle: { color: ink.building, borderColor: ink.ground, borderWidth: 1 }, label: { ...label, show: true }, labelLayout: { hideOverlap: true } },
        { cursor: "pointer" },
      ),
    ],
  };
}

/** A district by the name on its outline, in the language that is read: as short as people say it. */
function nameOf(name: string, districts: ReadonlyMap<string, District>, language: Language): string {
  const district = districts.get(name);
  if (!district) return name;
  return language === "zh" ? district.name_zh : district.name_en.replace(/ (District|County|City)$/, "");
}

/** Outlines carry a name, the console a code and two names: they are brought together here. */
export function districtsByOutline(boundary: Boundary | null, districts: readonly District[]): Map<string, District> {
  const found = new Map<string, District>();
  for (const { properties } of boundary?.features ?? []) {
    const code = properties.adcode === undefined ? null : String(properties.adcode);
    const district = districts.find((each) => each.district_code === code) ?? districts.find((each) => each.name_zh === properties.name);
    if (district) found.set(properties.name, district);
    else if (properties.name_en) found.set(properties.name, unwatched(code ?? "", properties.name, properties.name_en));
  }
  return found;
}

const unwatched = (district_code: string, name_zh: string, name_en: string): District => ({ district_code, name_zh, name_en, homes: 0 });
