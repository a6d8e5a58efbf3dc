// What GET /field/orders and /live give, by the types that are generated from the API. No logic here.

import type { components } from "@/shared/schema";

type Schemas = components["schemas"];

export type Rules = Schemas["FieldRules"];
export type Live = Schemas["Live"];
export type FieldOrder = Schemas["FieldOrder"];
export type Day = Schemas["FieldDay"];
