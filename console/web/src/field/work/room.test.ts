import { describe, expect, it } from "vitest";
import { roomOf } from "./room";
import type { Live } from "./model";

const NOW = 10_000_000;
const OLD = NOW - 300_001;
type Detector = Live["detectors"][number];
const heard = (ch4_lel: number | null, heard_ms: number | null = NOW, state: string | null = "normal"): Detector => ({ device_id: "D", ch4_lel, heard_ms, state });

describe("the gas of a room with more than one detector", () => {
  it.each<[string, Detector[], boolean, ReturnType<typeof roomOf>]>([
    ["is the worst fresh reading, wherever it stands", [heard(0), heard(30)], true, { lel: 30, heardMs: NOW, blind: 0, silent: 0 }],
    ["is no old reading beside a fresh one, and says that one is not heard", [heard(0), heard(30, OLD)], true, { lel: 0, heardMs: NOW, blind: 0, silent: 1 }],
    ["is no reading of a blind one, and says that it is blind", [heard(0, NOW, "fault"), heard(4)], true, { lel: 4, heardMs: NOW, blind: 1, silent: 0 }],
    ["is the worst of the old ones where nothing fresh is heard", [heard(0), heard(30, OLD)], false, { lel: 30, heardMs: OLD, blind: 0, silent: 0 }],
    ["is not known where all are blind", [heard(0, NOW, "preheat"), heard(0, NOW, "end_of_life")], true, { lel: null, heardMs: null, blind: 2, silent: 0 }],
    ["is not known where none ever spoke", [heard(null, null, null)], true, { lel: null, heardMs: null, blind: 0, silent: 0 }],
  ])("%s", (_, detectors, live, room) => expect(roomOf(detectors, NOW, live)).toEqual(room));
});
