// A user while he is made or changed: what the form holds, and what of it is told to the API.

import type { Role } from "@/shared/session";
import type { User } from "./shapes";

export interface Person {
  name: string;
  display: string;
  roles: Role[];
  /** Empty: every district. */
  districts: string[];
  technician_id: string;
  language: "zh" | "en";
}

export function blank(): Person {
  return { name: "", display: "", roles: [], districts: [], technician_id: "", language: "zh" };
}

export function personOf(user: User): Person {
  const { name, display, language } = user;
  return { name, display, language, roles: [...user.roles], districts: [...(user.districts ?? [])], technician_id: user.technician_id ?? "" };
}

export function complete(person: Person): boolean {
  const named = person.name.trim().length >= 2 && person.display.trim() !== "";
  return named && person.roles.length > 0 && (!person.roles.includes("technician") || person.technician_id.trim() !== "");
}

function told(person: Person) {
  return {
    display: person.display.trim(),
    roles: person.roles,
    districts: person.districts.length === 0 ? null : [...person.districts].sort(),
    technician_id: person.technician_id.trim() || null,
    language: person.language,
  };
}

export function newUser(person: Person) {
  return { name: person.name.trim(), ...told(person) };
}

/** What differs, and nothing else: what is left out stays as it is, also when somebody else changed it meanwhile. */
export function changeOf(user: User, person: Person): Record<string, unknown> {
  const before: Record<string, unknown> = told(personOf(user));
  return Object.fromEntries(Object.entries(told(person)).filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(before[field])));
}
