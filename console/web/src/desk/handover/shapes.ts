// A handover as the API gives it.

import type { Words } from "@/shared/model";

export interface Thing {
  thing: string;
  incident_id: string | null;
  home_id: string | null;
  address_zh: string;
  address_en: string;
  owner?: string | null;
}
export interface OpenIncident extends Thing {
  kind_words: Words;
  valve_words: Words;
  received_ms: number;
  seen_by: string | null;
  order_no: string | null;
  order_words: Words | null;
}
export interface OpenTask extends Thing {
  task_id: string;
  words: Words;
  priority: number;
  created_ms: number;
}
interface Placed {
  home_id: string | null;
  address_zh: string;
  address_en: string;
}
export interface HandoverDocument {
  desk: string;
  made_ms: number;
  shift_began_ms: number;
  incidents: OpenIncident[];
  tasks: OpenTask[];
  holds: (Placed & { words: Words; cause_words: Words | null; set_ms: number })[];
  hold_counts: { hold: string; words: Words; homes: number }[];
  blind_groups: {
    district_code: string;
    district: string;
    community: string;
    estate: string;
    building: string;
    blind: number;
    silent: number;
    powerless: number;
    since_ms: number;
  }[];
  blind_buildings: number;
  promises: (Placed & { kind: string; words: Words; incident_id: string | null; order_no: string | null; due_ms: number })[];
  remarks: { at_ms: number; incident_id: string; by: string; zh: string; en: string }[];
}
export interface HandoverBrief {
  handover_id: string;
  desk: string;
  state: "begun" | "taken" | "withdrawn";
  begun_ms: number;
  left_by: string;
  left_display: string;
  ended_ms: number | null;
  ended_by: string | null;
  ended_display: string | null;
  incidents: number;
  tasks: number;
}
export interface Handover extends HandoverBrief {
  remarks: string;
  note: string | null;
  owners: Record<string, string>;
  begun_document: HandoverDocument;
  taken_document: HandoverDocument | null;
}
export interface Person {
  name: string;
  display: string;
}
export interface Draft extends HandoverDocument {
  under_way: HandoverBrief | null;
  people: Person[];
}
