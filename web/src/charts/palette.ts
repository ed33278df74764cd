/** Colours for canvases, read from the style sheet so that both themes have one home. */

/** The value of a custom property on the root element. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || "#888";
}

export function isDark(): boolean {
  return getComputedStyle(document.documentElement).colorScheme.includes("dark");
}

/** Lines of names that are put on the charts; dashes keep them apart without colour. */
export const NAME_LINES: { colour: string; dash: number[] }[] = [
  { colour: "line-1", dash: [] },
  { colour: "line-2", dash: [6, 3] },
  { colour: "line-3", dash: [2, 2] },
  { colour: "line-4", dash: [8, 3, 2, 3] },
  { colour: "line-5", dash: [12, 4] },
  { colour: "line-6", dash: [4, 2, 1, 2] },
];

/** Cividis, from few to many, in nine steps: even in lightness, and the same for colour-blind eyes. */
const CIVIDIS = [
  0x00224e, 0x123570, 0x3b496c, 0x575d6d, 0x707173, 0x8a8678, 0xa59c74, 0xc3b369, 0xe1cc55,
  0xfee838,
];

/**
 * 256 colours as ABGR words for an `ImageData`. The ends nearest to the ground fade into it, so
 * that single slow requests are a breath and not a rash.
 */
export function heatColours(dark: boolean): Uint32Array {
  const steps = dark ? CIVIDIS : [...CIVIDIS].reverse();
  const colours = new Uint32Array(256);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (steps.length - 1);
    const [low, high] = [steps[Math.floor(at)]!, steps[Math.min(steps.length - 1, Math.ceil(at))]!];
    const mix = (shift: number) => {
      const [from, to] = [(low >> shift) & 255, (high >> shift) & 255];
      return Math.round(from + (to - from) * (at % 1));
    };
    const alpha = Math.round(255 * Math.min(dark ? 0.5 : 0.62, 0.12 + (i / 255) * 0.6));
    colours[i] = ((alpha << 24) | (mix(0) << 16) | (mix(8) << 8) | mix(16)) >>> 0;
  }
  return colours;
}
