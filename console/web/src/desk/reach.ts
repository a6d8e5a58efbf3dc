// Where gas was reported and no valve can be closed from here: the caller's street, no home of the registry. Pure.

import type { Incident } from "@/shared/model";

export const beyondReach = (incident: Pick<Incident, "kind" | "home_id">): boolean => incident.kind === "hotline_report" && incident.home_id === null;
