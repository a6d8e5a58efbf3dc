// Users, tokens and audit records as the API gives them.

import type { Right, Role } from "@/shared/session";

export interface User {
  user_id: string;
  name: string;
  display: string;
  roles: Role[];
  districts: string[] | null;
  technician_id: string | null;
  crew_id: string | null;
  language: "zh" | "en";
  made_ms: number;
  made_by: string;
  changed_ms: number;
  disabled_ms: number | null;
  has_password: boolean;
  seen_ms: number | null;
}
export interface UserWithLink {
  user: User;
  password_link?: string | null;
}
export interface Token {
  token_id: string;
  name: string;
  rights: Right[];
  districts: string[] | null;
  made_ms: number;
  made_by: string;
  ends_ms: number;
  ended_ms: number | null;
  ended_by: string | null;
  seen_ms: number | null;
}
export interface AuditRecord {
  audit_no: number;
  at_ms: number;
  who: string;
  via: string;
  what: string;
  zh: string;
  en: string;
  about: string;
  reason: string;
  origin: string;
  detail: Record<string, unknown>;
}
export interface District {
  district_code: string;
  name_zh: string;
  name_en: string;
}

/** What a token may carry: the rights of a machine. */
export const TOKEN_RIGHTS: readonly Right[] = ["read", "read_people", "remark", "hotline", "close_valve", "device_command", "order_step", "order_desk", "assign", "hold", "task"];
/** The roles that people get; `integration` is a token's. */
export const USER_ROLES: readonly Role[] = ["viewer", "operator", "dispatcher", "technician", "supervisor", "engineer", "auditor"];
export const AUDITED = [
  "signed_in", "sign_in_failed", "signed_out", "demo_entered", "unmasked", "searched_by_phone", "exported", "recording_heard", "user_made", "user_changed",
  "password_link_made", "password_chosen", "token_made", "token_ended",
] as const;
