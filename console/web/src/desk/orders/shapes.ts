// Orders, the board and pictures, by the types that are generated from the API.

import type { components } from "@/shared/schema";

type Schemas = components["schemas"];

export type BoardOrder = Schemas["BoardOrder"];
export type BoardAnswer = Schemas["Board"];
export type Attachment = Schemas["Attachment"];

/** What the API leaves open: addresses of an order's place, whatever else it tells. */
export interface Place {
  address_zh?: string;
  address_en?: string;
  zh?: string;
  en?: string;
  access_note?: string | null;
  lon?: number | null;
  lat?: number | null;
  coord_datum?: string | null;
}
