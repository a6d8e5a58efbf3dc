// The board as the API gives it.

import type { Order } from "@/shared/model";
import type { Board, Column } from "./board";

export type BoardOrder = Order & { since_ms: number };

export type BoardAnswer = Board<BoardOrder> & {
  counts: Record<Column, { count: number; oldest_ms: number | null }>;
  now_ms: number;
};

export interface Attachment {
  attachment_id: string;
  order_no: string;
  kind: string;
  media_type: string;
  happened_ms: number;
  made_by: string;
}

/** Addresses of an order's place, whatever else it tells. */
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
