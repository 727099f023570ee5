// From the form to a request.

export const EXAMPLES = [
  ['Caption', 'text', 'Caption this image.'],
  ['Detect', 'boxes', 'Detect all of the prominent items in the image.'],
  ['Point', 'points', 'Point to the most prominent items in the image.'],
  ['Count', 'text', 'How many people are there?'],
  ['Read', 'text', 'Read all the text in this image.'],
  ['Compare', 'text', 'What is different between these two images?'],
];

/** Answers that are places: the key of a place, how many numbers it has, and how they are told. */
export const PLACES = {
  boxes: ['box_2d', 4, 'The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000.'],
  points: ['point', 2, 'The point should be [y, x] normalized to 0-1000.'],
};

/** The text that is sent: the question, and how places are written if places are asked for. */
export function textOf({ prompt, as, pictures }) {
  if (!PLACES[as]) return prompt;
  const several = pictures.length > 1 ? ' Answer with a list of such lists, one for each picture.' : '';
  return `${prompt} Answer with a JSON list of {"${PLACES[as][0]}", "label", "score"}. ${PLACES[as][2]}${several}`.trim();
}

/** What goes beside the text: the form of the answer and the resolution, under the API's own names. */
export function configOf({ as, resolution, pictures }) {
  const config = {};
  if (as !== 'text') config.responseMimeType = 'application/json';
  // A schema holds the answer to one flat list, so several pictures are asked for in words alone.
  if (PLACES[as] && pictures.length < 2) config.responseJsonSchema = listOf(...PLACES[as]);
  if (resolution) config.mediaResolution = `MEDIA_RESOLUTION_${resolution}`;
  return config;
}

function listOf(place, length) {
  const properties = {
    [place]: { type: 'array', items: { type: 'integer' }, minItems: length, maxItems: length },
    label: { type: 'string' },
    score: { type: 'number' },
  };
  return { type: 'array', items: { type: 'object', properties, required: [place, 'label'] } };
}

/** The body of generateContent. Pictures come first, as the guide advises. */
export async function bodyOf(form) {
  const parts = await Promise.all(
    form.pictures.map(async ({ type, data }) => ({ inlineData: { mimeType: type, data: await data } })),
  );
  const text = textOf(form);
  if (text) parts.push({ text });
  return { contents: [{ role: 'user', parts }], generationConfig: configOf(form) };
}
