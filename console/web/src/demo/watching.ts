// The one leak that is watched. Lives beside the panel, so that closing and opening it again goes on with the same story.
//
//   watched       where it is, null when none is
//   facts         what is known of it (see steps.ts)
//   problem       the last reading failed so; it is read again with the next word of the stream
//   watchHome()   a leak that was just started: its incident is not there yet
//   watchIncident() one that is under way;  leave() ends it

import { shallowRef } from "vue";
import { get, refusalOf, type Refusal } from "../shared/api";
import type { Call, Command, Incident, IncidentWithAll, Task, Words } from "../shared/model";
import { on, onResync } from "../shared/stream";
import type { Facts } from "./steps";

export interface Watched {
  homeId: string | null;
  address: Words;
  incidentId: string | null;
}

const NOTHING: Facts = { incident: null, calls: [], commands: [], tasks: [] };

export const watched = shallowRef<Watched | null>(null);
export const facts = shallowRef<Facts>(NOTHING);
export const problem = shallowRef<Refusal | null>(null);

let ends: (() => void)[] = [];

export function watchHome(homeId: string, address: Words): void {
  begin({ homeId, address, incidentId: null });
  // The alarm may have been heard before this page was told that the leak has begun.
  void find(homeId);
}

export function watchIncident(incident: Incident): void {
  begin({ homeId: incident.home_id, address: { zh: incident.address_zh, en: incident.address_en }, incidentId: incident.incident_id });
  facts.value = { ...NOTHING, incident };
  void read();
}

export function leave(): void {
  for (const end of ends) end();
  ends = [];
  watched.value = null;
  facts.value = NOTHING;
  problem.value = null;
}

function begin(where: Watched): void {
  leave();
  watched.value = where;
  ends = [on("incident", incidentHeard), on("call", callHeard), on("command", commandHeard), on("task", taskHeard), onResync(() => void again())];
}

async function again(): Promise<void> {
  const where = watched.value;
  if (where === null) return;
  if (where.incidentId !== null) await read();
  else if (where.homeId !== null) await find(where.homeId);
}

async function find(homeId: string): Promise<void> {
  try {
    const found = await get<{ items: Incident[] }>("/incidents", { home_id: homeId, state: "open", limit: 1 });
    const [incident] = found.items;
    if (incident) incidentHeard(incident);
  } catch (error) {
    problem.value = refusalOf(error);
  }
}

/** All of it: the calls and tasks that came before this page listened. */
export async function read(): Promise<void> {
  const id = watched.value?.incidentId;
  if (!id) return;
  try {
    const all = await get<IncidentWithAll>(`/incidents/${id}`);
    if (watched.value?.incidentId !== id) return;
    // What the stream told meanwhile is newer than what was read before it.
    const calls = facts.value.calls.filter((call) => !all.calls.some((other) => other.call_id === call.call_id));
    facts.value = { incident: all, calls: [...all.calls, ...calls], commands: all.commands, tasks: all.tasks };
    problem.value = null;
  } catch (error) {
    problem.value = refusalOf(error);
  }
}

function incidentHeard(incident: Incident): void {
  const where = watched.value;
  if (where === null) return;
  if (where.incidentId === null) {
    if (incident.home_id === null || incident.home_id !== where.homeId || incident.state !== "open") return;
    watched.value = { ...where, incidentId: incident.incident_id };
    facts.value = { ...facts.value, incident };
    void read();
  } else if (incident.incident_id === where.incidentId) {
    facts.value = { ...facts.value, incident };
  }
}

const ofOurs = (incidentId: string | null): boolean => {
  const incident = facts.value.incident;
  return incident !== null && incidentId !== null && (incidentId === incident.incident_id || incident.aliases.includes(incidentId));
};

function callHeard(call: Call): void {
  if (!ofOurs(call.incident_id)) return;
  const others = facts.value.calls.filter((other) => other.call_id !== call.call_id);
  facts.value = { ...facts.value, calls: [...others, call] };
}

function commandHeard(command: Command): void {
  if (!ofOurs(command.incident_id)) return;
  facts.value = { ...facts.value, commands: [...facts.value.commands.filter((other) => other.command_id !== command.command_id), command] };
}

function taskHeard(task: Task): void {
  if (!ofOurs(task.incident_id)) return;
  facts.value = { ...facts.value, tasks: [...facts.value.tasks.filter((other) => other.task_id !== task.task_id), task] };
}
