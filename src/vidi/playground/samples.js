// Pictures to try the page with, drawn here: no photograph is needed for the first question.

const WIDE = 800;
const TALL = 600;

function disc(pen, x, y, radius, colour) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

function words(pen, text, x, y, size, colour) {
  pen.fillStyle = colour;
  pen.font = `700 ${size}px sans-serif`;
  pen.textAlign = 'center';
  pen.textBaseline = 'middle';
  pen.fillText(text, x, y);
}

function block(pen, x, y, wide, tall, colour) {
  pen.fillStyle = colour;
  pen.fillRect(x, y, wide, tall);
}

function street(pen) {
  block(pen, 0, 0, WIDE, 380, '#bfdcf2');
  block(pen, 0, 380, WIDE, 220, '#7d7f83');
  block(pen, 40, 120, 220, 260, '#c98f6b');
  for (const [x, y] of [[70, 150], [170, 150], [70, 250], [170, 250]]) block(pen, x, y, 55, 65, '#f3e9c8');
  block(pen, 393, 240, 14, 260, '#8d8d8d');
  pen.fillStyle = '#c8102e';
  pen.beginPath();
  for (let corner = 0; corner < 8; corner++) {
    const angle = Math.PI / 8 + corner * Math.PI / 4;
    pen.lineTo(400 + 95 * Math.cos(angle), 190 + 95 * Math.sin(angle));
  }
  pen.fill();
  words(pen, 'STOP', 400, 192, 54, '#ffffff');
  block(pen, 633, 250, 14, 250, '#555555');
  block(pen, 600, 70, 80, 200, '#26292c');
  disc(pen, 640, 108, 24, '#e8382c');
  disc(pen, 640, 170, 24, '#5d5424');
  disc(pen, 640, 232, 24, '#21502c');
}

function sign(pen) {
  block(pen, 0, 0, WIDE, TALL, '#e9e4d8');
  block(pen, 110, 90, 580, 420, '#14532d');
  pen.strokeStyle = '#ffffff';
  pen.lineWidth = 10;
  pen.strokeRect(130, 110, 540, 380);
  words(pen, 'OPEN', WIDE / 2, 210, 110, '#ffffff');
  words(pen, '09:00 - 18:30', WIDE / 2, 335, 64, '#ffffff');
  words(pen, 'Room 27', WIDE / 2, 425, 52, '#ffe08a');
}

function shapes(pen) {
  block(pen, 0, 0, WIDE, TALL, '#fbfaf6');
  disc(pen, 190, 200, 110, '#d62828');
  disc(pen, 620, 420, 80, '#1d6fd6');
  block(pen, 440, 90, 220, 160, '#f2b705');
  block(pen, 120, 390, 150, 150, '#2a9d4a');
}

/** The samples by the keys of their names. */
export const SAMPLES = { street, sign, shapes };

/** A sample as a PNG file. */
export async function sampleFile(key) {
  const canvas = document.createElement('canvas');
  canvas.width = WIDE;
  canvas.height = TALL;
  SAMPLES[key](canvas.getContext('2d'));
  const blob = await new Promise((resolve) => { canvas.toBlob(resolve, 'image/png'); });
  return new File([blob], `${key}.png`, { type: 'image/png' });
}
