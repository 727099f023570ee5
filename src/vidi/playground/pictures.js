// Pictures as files: what they are, how large, and their bytes in base64.

import { Refusal, view } from './api.js';
import { say } from './language.js';

/** Above this many pixels a browser may not survive showing a picture, so it only gets a placeholder. */
const SHOWN_PIXELS = 80e6;

const HEIC = new Set(['heic', 'heix', 'hevc', 'hevx', 'heim', 'heis']);
const HEIF = new Set(['mif1', 'msf1', 'heif']);

const AVIF = new Set(['avif', 'avis']);

/** How files begin whose type is told by that alone. */
const STARTS = {
  '\x89PNG\r\n': 'image/png', '\xff\xd8\xff': 'image/jpeg', GIF8: 'image/gif', BM: 'image/bmp', 'II*\0': 'image/tiff', 'MM\0*': 'image/tiff',
};

/** What the API does not take: the server makes a PNG of it, and that is sent. */
const CONVERTED = new Set(['image/gif', 'image/bmp', 'image/tiff', 'image/avif']);

/** The type by the first bytes, or "" for what the server does not read. */
function typeOf(bytes) {
  const text = String.fromCharCode(...bytes);
  const start = Object.keys(STARTS).find((each) => text.startsWith(each));
  if (start) return STARTS[start];
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'image/webp';
  const brand = text.slice(4, 8) === 'ftyp' ? text.slice(8, 12) : '';
  if (AVIF.has(brand) || (HEIF.has(brand) && /avi[fs]/.test(text.slice(16)))) return 'image/avif';
  return HEIC.has(brand) ? 'image/heic' : HEIF.has(brand) ? 'image/heif' : '';
}

/** Whether a file's name is that of a picture; of a folder, only such files are opened. */
export const isNamedPicture = ({ name }) => /\.(png|jpe?g|webp|hei[cf]|gif|bmp|tiff?|avif)$/i.test(name);

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
 * `width` and `height` are those of the upright picture as it is shown, in pixels, 0 if there is none; `unseen`
 * says why it is not shown, else ""; `data()` reads its bytes in base64, so that a folder of pictures does not
 * lie in memory. `taken` are names that are in use: code refers to pictures by name, so each has its own.
 */
export async function openPicture(file, taken) {
  const found = typeOf(new Uint8Array(await file.slice(0, 48).arrayBuffer().catch(() => new ArrayBuffer(0))));
  if (!found) {
    throw new Refusal(say('noPicture', { name: file.name }));
  }
  const { sent, type, name } = CONVERTED.has(found)
    ? { sent: await viewOf(file), type: 'image/png', name: file.name.replace(/(\.[^.]*)?$/, '.png') }
    : { sent: file, type: found, name: file.name };
  const { url, width, height } = await shown(sent, type);
  return { name: free(name, taken), type, size: sent.size, url, width, height, unseen: unseen(type, width, height), data: () => base64Of(sent) };
}

/** The server's view of a file; what it has against it is said with the file's name. */
async function viewOf(file) {
  try {
    return await view(file);
  } catch (error) {
    if (!(error instanceof Refusal) || error.key) throw error;
    const reason = error.message.replace(/^Unable to process input image\. /, '');
    throw new Refusal(reason.startsWith('The picture ') ? reason.replace('The picture', `“${file.name}”`) : `“${file.name}”: ${reason}`);
  }
}

/** An address under which the browser shows a picture, and how large it then is. */
async function shown(file, type) {
  const url = URL.createObjectURL(file);
  const [width, height] = await sizeOf(url);
  if (width || !/hei[cf]$/.test(type)) return { url, width, height };
  const instead = await view(file).catch(() => null);
  if (!instead) return { url, width, height };
  URL.revokeObjectURL(url);
  const other = URL.createObjectURL(instead);
  const [wide, tall] = await sizeOf(other);
  return { url: other, width: wide, height: tall };
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
