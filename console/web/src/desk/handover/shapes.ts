// A handover, by the types that are generated from the API.

import type { components } from "@/shared/schema";

type Schemas = components["schemas"];

/** What is handed over now: with whom it can be given to. */
export type Draft = Schemas["Draft"];
export type Handover = Schemas["Handover"];
export type HandoverBrief = Schemas["HandoverBrief"];
/** What was signed; a draft is one too. */
export type HandoverDocument = Schemas["Document"];
export type Person = Schemas["Person"];
export type Taken = Schemas["Taken"];
