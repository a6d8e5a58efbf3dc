// How times, ages and quantities are written. All times are Beijing time, whatever the machine's zone.
//
//   timeOf "14:03:07"   timeToTenth "14:03:07.2"   dayOf "11-22"   dayTimeOf "11-22 14:03"   ago/duration in words of the language
//   afterAlarm "+0.42 s" "+03:12"   methane "12.5 %LEL"   number, flow, volume, pressure, distance with their units

import { language } from "./i18n";

const zone = { timeZone: "Asia/Shanghai" } as const;
const clockFormat = new Intl.DateTimeFormat("en-GB", { ...zone, hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const shortFormat = new Intl.DateTimeFormat("en-GB", { ...zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayFormat = new Intl.DateTimeFormat("en-CA", { ...zone, year: "numeric", month: "2-digit", day: "2-digit" });
const numbers = new Intl.NumberFormat("en-US", { maximumFractionDigits: 3 });

export const timeOf = (ms: number): string => clockFormat.format(ms);
export const shortTimeOf = (ms: number): string => shortFormat.format(ms);
export const timeToTenth = (ms: number): string => `${timeOf(ms)}.${Math.floor((((ms % 1000) + 1000) % 1000) / 100)}`;
/** "2026-11-22" */
export const dateOf = (ms: number): string => dayFormat.format(ms);
/** "11-22" */
export const dayOf = (ms: number): string => dateOf(ms).slice(5);
/** "11-22 14:03" */
export const dayTimeOf = (ms: number): string => `${dayOf(ms)} ${shortTimeOf(ms)}`;
/** For <time datetime>. */
export const isoOf = (ms: number): string => new Date(ms).toISOString();

/** "42 s", "3 min 07 s", "2 h 05 min", "3 d 4 h"; negative is zero. */
export function duration(ms: number): string {
  const zh = language.value === "zh";
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number) => String(value).padStart(2, "0");
  if (seconds < 60) return zh ? `${seconds} 秒` : `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return zh ? `${minutes} 分 ${two(seconds % 60)} 秒` : `${minutes} min ${two(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return zh ? `${hours} 小时 ${two(minutes % 60)} 分` : `${hours} h ${two(minutes % 60)} min`;
  return zh ? `${Math.floor(hours / 24)} 天 ${hours % 24} 小时` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** As duration, but minutes without seconds: for what changes slowly. */
export function roughly(ms: number): string {
  const minutes = Math.floor(Math.max(0, ms) / 60_000);
  if (minutes < 1 || minutes >= 60) return duration(ms);
  return language.value === "zh" ? `${minutes} 分钟` : `${minutes} min`;
}

/** Time after the alarm: hundredths below ten seconds, then tenths, then minutes. */
export function afterAlarm(ms: number): string {
  if (ms < 0) return `−${(-ms / 1000).toFixed(2)} s`;
  if (ms < 10_000) return `+${(ms / 1000).toFixed(2)} s`;
  if (ms < 60_000) return `+${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  const minutes = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `+${seconds < 3600 ? minutes : `${Math.floor(seconds / 3600)}:${minutes}`}`;
}

export const number = (value: number): string => numbers.format(value);
export const methane = (value: number): string => `${Math.round(value * 10) / 10} %LEL`;
export const flow = (m3h: number): string => `${number(m3h)} m³/h`;
export const volume = (m3: number): string => `${number(m3)} m³`;
export const pressure = (kpa: number): string => `${number(kpa)} kPa`;
export const distance = (m: number): string => (m < 1000 ? `${Math.round(m)} m` : `${(m / 1000).toFixed(1)} km`);
/** The first letter great, for sentences of the API that begin small. */
export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
