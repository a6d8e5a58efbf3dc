// Photos and signatures as they are kept: at most 1600 px, JPEG, drawn anew so that nothing of the camera stays in the file, with a band
// that says which order, when and where. Signatures are drawn on white, with the same band.

import type { Picture, Place } from "../queue/act";

export const LONGEST_PX = 1600;
const BYTES_MAX = 1_500_000;

/** Width and height that fit, px; never larger than they are. */
export function fitted(width: number, height: number, longest: number = LONGEST_PX): { width: number; height: number } {
  const scale = Math.min(1, longest / Math.max(width, height));
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/** Text in lines of at most `widest` px; breaks between any two characters, as Chinese does. */
export function lines(text: string, widest: number, measure: (text: string) => number): string[] {
  const found: string[] = [];
  let line = "";
  for (const letter of text) {
    if (line !== "" && measure(line + letter) > widest) {
      found.push(line);
      line = letter.trim();
    } else line += letter;
  }
  return line === "" ? found : [...found, line];
}

export interface Stamped {
  orderNo: string;
  /** As it is read, Beijing time. */
  time: string;
  address: string;
  place: Place | null;
  noPlace: string;
}

export function stampLines(stamped: Stamped): string[] {
  const { place } = stamped;
  const where = place === null ? stamped.noPlace : `${place.lat.toFixed(6)}, ${place.lon.toFixed(6)} ${place.datum}`;
  return [`${stamped.orderNo}  ${stamped.time}`, stamped.address, where];
}

function band(paper: CanvasRenderingContext2D, width: number, height: number, stamped: Stamped): void {
  const size = Math.max(14, Math.round(Math.min(width, height * 1.4) / 36));
  paper.font = `600 ${size}px system-ui, "PingFang SC", "Noto Sans CJK SC", sans-serif`;
  paper.textBaseline = "top";
  const margin = Math.round(size * 0.6);
  const texts = stampLines(stamped).flatMap((text) => lines(text, width - 2 * margin, (part) => paper.measureText(part).width));
  const step = Math.round(size * 1.35);
  const top = height - texts.length * step - 2 * margin;
  paper.fillStyle = "rgba(0, 0, 0, 0.62)";
  paper.fillRect(0, top, width, height - top);
  paper.fillStyle = "#ffffff";
  for (const [at, text] of texts.entries()) paper.fillText(text, margin, top + margin + at * step);
}

function encoded(canvas: HTMLCanvasElement, quality: number): Promise<Blob> {
  return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/jpeg", quality));
}

async function kept(canvas: HTMLCanvasElement, place: Place | null): Promise<Picture> {
  let blob = await encoded(canvas, 0.82);
  for (const quality of [0.7, 0.55, 0.4]) if (blob.size > BYTES_MAX) blob = await encoded(canvas, quality);
  return { bytes: await blob.arrayBuffer(), type: blob.type, place };
}

function paper(width: number, height: number): { canvas: HTMLCanvasElement; pen: CanvasRenderingContext2D } {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d");
  if (pen === null) throw new Error("no canvas");
  return { canvas, pen };
}

/** The picture of a file, upright. An element draws what older web views cannot decode by createImageBitmap. */
async function drawable(file: Blob): Promise<{ image: CanvasImageSource; width: number; height: number; done: () => void }> {
  try {
    const image = await createImageBitmap(file, { imageOrientation: "from-image" });
    return { image, width: image.width, height: image.height, done: () => image.close() };
  } catch {
    const url = URL.createObjectURL(file);
    const image = new Image();
    image.src = url;
    await image.decode().catch((error: unknown) => {
      URL.revokeObjectURL(url);
      throw error;
    });
    return { image, width: image.naturalWidth, height: image.naturalHeight, done: () => URL.revokeObjectURL(url) };
  }
}

/** A photo as it is kept. Throws where the file is no picture. */
export async function photographed(file: Blob, stamped: Stamped): Promise<Picture> {
  const found = await drawable(file);
  try {
    const { width, height } = fitted(found.width, found.height);
    const { canvas, pen } = paper(width, height);
    pen.drawImage(found.image, 0, 0, width, height);
    band(pen, width, height, stamped);
    return await kept(canvas, stamped.place);
  } finally {
    found.done();
  }
}

/** A signature as it is kept: what was drawn on the page's canvas, on white. */
export async function signed(drawn: HTMLCanvasElement, stamped: Stamped): Promise<Picture> {
  const { width, height } = fitted(drawn.width, drawn.height, 1000);
  const foot = Math.round(height * 0.35);
  const { canvas, pen } = paper(width, height + foot);
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, width, height + foot);
  pen.drawImage(drawn, 0, 0, width, height);
  band(pen, width, height + foot, stamped);
  return kept(canvas, stamped.place);
}

/** Where the phone is, or null: a photo never waits long for a place, and a refusal is no fault. */
export function whereNow(): Promise<Place | null> {
  return new Promise((resolve) => {
    if (!("geolocation" in navigator) || !isSecureContext) return resolve(null);
    const late = setTimeout(() => resolve(null), 4000);
    const end = (place: Place | null) => {
      clearTimeout(late);
      resolve(place);
    };
    navigator.geolocation.getCurrentPosition(
      // What the Geolocation API gives is WGS-84 by its standard.
      ({ coords }) => end({ lon: coords.longitude, lat: coords.latitude, datum: "WGS-84" }),
      () => end(null),
      { enableHighAccuracy: true, timeout: 3500, maximumAge: 30_000 },
    );
  });
}
