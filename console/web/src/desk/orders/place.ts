// Where an order is, from the place that dispatch keeps with it.

import { language } from "@/shared/i18n";
import type { Place } from "./shapes";

export function addressOf(place: Record<string, unknown>): string {
  const told = place as Place;
  const zh = told.address_zh ?? told.zh ?? "";
  const en = told.address_en ?? told.en ?? "";
  return language.value === "zh" ? zh || en : en || zh;
}

const HAN = /[\u4e00-\u9fff]/;

/** A note written as "Chinese / English" in the language that is read; any other as it was written. */
export function ownHalf(note: string): string {
  const at = note.indexOf(" / ");
  if (at < 0) return note;
  const [zh, en] = [note.slice(0, at), note.slice(at + 3)];
  if (!HAN.test(zh) || HAN.test(en)) return note;
  return language.value === "zh" ? zh : en;
}
