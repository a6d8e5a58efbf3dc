// Things of the home's page, by the types that are generated from the API.

import type { components } from "@/shared/schema";

type Schemas = components["schemas"];

export type HomeCondition = Schemas["HomeCondition"];
export type Contact = Schemas["Contact"];
export type People = Schemas["People"];
