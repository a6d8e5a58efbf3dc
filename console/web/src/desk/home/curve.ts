// Points of a curve: where nothing was heard for long, the line is broken, because silence is unknown and no straight line.

export type Point = [number, number | null];

/** A break wherever the device said nothing for longer than `silentMs`, after which it counts as silent. */
export function curve(points: readonly Point[], silentMs: number): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0]);
  return sorted.flatMap((point, index): Point[] => {
    const before = sorted[index - 1];
    return before && point[0] - before[0] > silentMs ? [[before[0] + 1, null], point] : [point];
  });
}
