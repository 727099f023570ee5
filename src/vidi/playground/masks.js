// Masks: grey PNGs that say which pixels of a box belong to its thing.

/** What is over this grey, once the mask has the size of its box, belongs to the thing. */
const CUT = 127;

/** A mask of more pixels is not unpacked: no box needs one, and a browser may not survive it. */
const MOST_PIXELS = 16e6;

/** How many pixels a PNG says that it has, in its first 24 bytes. */
function pixelsOf(mask) {
  const start = mask.indexOf(',') + 1;
  const bytes = atob(mask.slice(start, start + 32));
  const number = (at) => [0, 1, 2, 3].reduce((sum, each) => sum * 256 + bytes.charCodeAt(at + each), 0);
  return number(16) * number(20);
}

/**
 * A mask in one colour (`#rrggbb`) on nothing, as a canvas of this size, or null for what is no such PNG.
 */
export async function maskIn(colour, mask, width, height) {
  if (!(pixelsOf(mask) <= MOST_PIXELS)) return null;
  const image = new Image();
  image.src = mask;
  try {
    await image.decode();
  } catch {
    return null;
  }
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width));
  canvas.height = Math.max(1, Math.round(height));
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  pen.imageSmoothingQuality = 'high';
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  const grey = pen.getImageData(0, 0, canvas.width, canvas.height);
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const { data } = grey;
  for (let at = 0; at < data.length; at += 4) {
    data[at + 3] = data[at] > CUT ? 255 : 0;
    data[at] = red;
    data[at + 1] = green;
    data[at + 2] = blue;
  }
  pen.putImageData(grey, 0, 0);
  return canvas;
}
