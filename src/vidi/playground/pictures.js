// Pictures as files: what they are, how large, and their bytes in base64.

import { Refusal } from './api.js';
import { say } from './language.js';

/** Above this many pixels a browser may not survive showing a picture, so it only gets a placeholder. */
const SHOWN_PIXELS = 80e6;

const HEIC = new Set(['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis']);
const HEIF = new Set(['mif1', 'msf1', 'heif']);

/** The type by the first bytes, or "" for what the server does not read. */
function typeOf(bytes) {
  const text = String.fromCharCode(...bytes);
  if (text.startsWith('\x89PNG\r\n')) return 'image/png';
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'image/webp';
  const brand = text.slice(4, 8) === 'ftyp' ? text.slice(8, 12) : '';
  return HEIC.has(brand) ? 'image/heic' : HEIF.has(brand) ? 'image/heif' : '';
}

const sizeOf = (url) => new Promise((resolve) => {
  const image = new Image();
  image.onload = () => resolve([image.naturalWidth, image.naturalHeight]);
  image.onerror = () => resolve([0, 0]);
  image.src = url;
});

const base64Of = (file) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(',') + 1));
  reader.onerror = () => reject(new Refusal(say('fileGone', { name: file.name })));
  reader.readAsDataURL(file);
});

/**
 * Open a file as a picture: {name, type, size, url, width, height, unseen, data}.
 *
 * `width` and `height` are those of the upright picture, in pixels, 0 if the browser cannot read it; `unseen`
 * says why it is not shown, else ""; `data()` reads its bytes in base64, so that a folder of pictures does not
 * lie in memory. `taken` are names that are in use: code refers to pictures by name, so each has its own.
 */
export async function openPicture(file, taken) {
  const type = typeOf(new Uint8Array(await file.slice(0, 16).arrayBuffer().catch(() => new ArrayBuffer(0))));
  if (!type) {
    throw new Refusal(say('noPicture', { name: file.name }));
  }
  const url = URL.createObjectURL(file);
  const [width, height] = await sizeOf(url);
  return { name: free(file.name, taken), type, size: file.size, url, width, height, unseen: unseen(type, width, height), data: () => base64Of(file) };
}

function unseen(type, width, height) {
  if (!width) {
    return say('unseen', { kind: type.slice(6).toUpperCase() });
  }
  const megapixels = width * height / 1e6;
  return megapixels * 1e6 > SHOWN_PIXELS ? say('tooLarge', { megapixels: Math.round(megapixels) }) : '';
}

function free(name, taken) {
  const [, stem, ending] = /^(.*?)(\.[^.]*)?$/s.exec(name || 'picture');
  let number = 1;
  let tried = name || 'picture';
  while (taken.has(tried)) tried = `${stem}-${++number}${ending ?? ''}`;
  return tried;
}
