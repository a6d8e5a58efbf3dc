// Users, tokens and audit records, by the types that are generated from the API.

import type { components } from "@/shared/schema";
import type { Right, Role } from "@/shared/session";

type Schemas = components["schemas"];

export type User = Schemas["User"];
export type UserWithLink = Schemas["UserWithLink"];
export type Token = Schemas["Token"];
export type MadeToken = Schemas["MadeToken"];
export type AuditRecord = Schemas["AuditRecord"];
export type District = Pick<Schemas["District"], "district_code" | "name_zh" | "name_en">;

/** What a token may carry: the rights of a machine. */
export const TOKEN_RIGHTS: readonly Right[] = ["read", "read_people", "remark", "hotline", "close_valve", "device_command", "order_step", "order_desk", "assign", "hold", "task"];
/** The roles that people get; `integration` is a token's. */
export const USER_ROLES: readonly Role[] = ["viewer", "operator", "dispatcher", "technician", "supervisor", "engineer", "auditor"];
export const AUDITED = [
  "signed_in", "sign_in_failed", "signed_out", "demo_entered", "unmasked", "searched_by_phone", "searched_by_address", "exported", "recording_heard", "picture_seen", "user_made", "user_changed",
  "password_link_made", "password_chosen", "token_made", "token_ended",
] as const;
