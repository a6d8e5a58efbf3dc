// Things of the home's page that the API gives beside the shared ones.

import type { Words } from "@/shared/model";

export interface HomeCondition {
  home_id: string;
  address_zh: string;
  address_en: string;
  simulated: boolean;
  device_id: string;
  condition: string;
  condition_words: Words;
  cause: string;
  cause_words: Words;
  since_ms: number;
}

export interface Contact {
  position: number;
  name: string;
  role: string;
  phone: string;
}
