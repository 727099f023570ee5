// What a person takes along: the picture with what was found drawn into it, and answers as files.

import { maskIn } from './masks.js';

/** Let the browser keep a file. */
export function download(name, blob) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

export const jsonFile = (value) => new Blob([`${JSON.stringify(value, null, 2)}\n`], { type: 'application/json' });

/** A name for a file that belongs to a picture: `street.jpg` gives `street-boxes.png`. */
export const nameFor = (picture, ending) => `${picture ? picture.name.replace(/\.[^.]*$/, '') : 'vidi'}${ending}`;

/** The picture in its own size as PNG, with shapes ({shape, colour}) and their masks (`veil`: how opaque, 0..1) as on the page. */
export async function annotated(image, shapes, veil) {
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const pen = canvas.getContext('2d');
  pen.drawImage(image, 0, 0);
  const scale = Math.max(1, Math.sqrt(canvas.width * canvas.height) / 700);
  pen.globalAlpha = veil;
  for (const { shape, colour } of shapes.filter((each) => each.shape.mask)) {
    const [left, top, right, bottom] = [shape.left * canvas.width, shape.top * canvas.height, shape.right * canvas.width, shape.bottom * canvas.height].map((each) => each / 1000);
    const mask = await maskIn(colour, shape.mask, right - left, bottom - top);
    if (mask) pen.drawImage(mask, left, top, right - left, bottom - top);
  }
  pen.globalAlpha = 1;
  for (const each of shapes) draw(pen, each, canvas, scale);
  return new Promise((resolve) => { canvas.toBlob(resolve, 'image/png'); });
}

function draw(pen, { shape, colour }, { width, height }, scale) {
  const [left, top] = [shape.left * width / 1000, shape.top * height / 1000];
  const line = 2 * scale;
  pen.lineWidth = line;
  pen.strokeStyle = pen.fillStyle = colour;
  if (shape.kind === 'box') {
    // The line's middle runs along the box's edge.
    pen.strokeRect(left, top, (shape.right - shape.left) * width / 1000, (shape.bottom - shape.top) * height / 1000);
  } else {
    pen.beginPath();
    pen.arc(left, top, 6 * scale, 0, 2 * Math.PI);
    pen.fill();
  }
  const tall = 15 * scale;
  pen.font = `600 ${12 * scale}px system-ui, sans-serif`;
  const wide = pen.measureText(shape.label).width + 8 * scale;
  const from = Math.max(0, Math.min(width - wide, left - line / 2));
  const above = top - tall - line / 2;
  const at = above >= 0 ? above : Math.min(height - tall, shape.bottom * height / 1000 + line / 2);
  pen.fillRect(from, at, wide, tall);
  pen.fillStyle = '#14110c';
  pen.textBaseline = 'middle';
  pen.fillText(shape.label, from + 4 * scale, at + tall / 2);
}
