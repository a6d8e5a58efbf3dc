// The API's things by name, from the types that are generated from its OpenAPI (schema.d.ts). No logic here.

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Words = { zh: string; en: string };
export interface Page<T> {
  items: T[];
  next: string | null;
}

export type Incident = Schemas["Incident"];
export type IncidentWithAll = Schemas["IncidentWithAll"];
export type Clocks = Schemas["Clocks"];
export type Order = Schemas["Order"];
export type OrderWithSteps = Schemas["OrderWithSteps"];
export type Step = OrderWithSteps["steps"][number];
export type Call = Schemas["Call"];
export type Command = Schemas["Command"];
export type Task = Schemas["Task"];
export type Crew = Schemas["Crew"];
export type Home = Schemas["Home"];
export type HomeWithDevices = Schemas["HomeWithDevices"];
export type Device = Schemas["Device"];
export type Hold = Schemas["Hold"];
export type Readings = Schemas["Readings"];
export type Overview = Schemas["Overview"];
export type Entry = Schemas["Entry"];

export type LiveEntry = Entry & {
  incident_id: string;
  incident_kind: string;
  home_id: string | null;
  address_zh: string;
  address_en: string;
  simulated: boolean;
};

export type Remark = Schemas["Remark"];
