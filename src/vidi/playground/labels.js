// Where the labels of shapes go: outside of them, and never over something small.

/** A shape of more than this part of the picture is large: a label may lie on it. */
const LARGE = 0.12;

const GAP = 1;

/** How wide a box's edge is, in pixels. */
const EDGE = 2;

const rect = (left, top, width, height) => ({ left, top, right: left + width, bottom: top + height });

const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** Places for a label of this size beside a shape, the usual one first. */
function* places(box, wide, tall) {
  yield rect(box.left, box.top - tall, wide, tall);
  yield rect(box.right - wide, box.top - tall, wide, tall);
  yield rect(box.left, box.bottom, wide, tall);
  yield rect(box.right - wide, box.bottom, wide, tall);
  yield rect(box.right + GAP, box.top, wide, tall);
  yield rect(box.left - wide - GAP, box.top, wide, tall);
  if ((box.right - box.left) > wide && (box.bottom - box.top) > 2 * tall) {
    yield rect(box.left, box.top, wide, tall);
    yield rect(box.right - wide, box.bottom - tall, wide, tall);
  }
}

/**
 * Place the labels of shapes ({shape, node}) that lie in `layer`. A label that would lie on a small shape, on
 * another label or off the picture gets the class `spare`, and is shown only where its shape is pointed at.
 */
export function placeLabels(shapes, layer) {
  const { clientWidth: width, clientHeight: height } = layer;
  if (!width) return;
  // All is measured before anything is moved, so that the page is laid out once.
  const items = shapes.map(({ shape, node }) => {
    const label = node.querySelector('span');
    const room = shape.kind === 'point' ? 9 : 0;
    const box = {
      left: shape.left * width / 1000 - room, top: shape.top * height / 1000 - room,
      right: shape.right * width / 1000 + room, bottom: shape.bottom * height / 1000 + room,
    };
    return { node, label, box, wide: label.offsetWidth, tall: label.offsetHeight, area: (box.right - box.left) * (box.bottom - box.top) };
  });
  const taken = [];
  const small = items.filter(({ area }) => area < LARGE * width * height);
  for (const item of [...items].sort((a, b) => a.area - b.area)) {
    const { node, label, box, wide, tall } = item;
    // Its own box counts too: on a small thing even its own label is in the way.
    const free = (place) => place.left >= -2 && place.right <= width + 2 && place.top >= -tall && place.bottom <= height + tall
      && !taken.some((each) => meet(place, each)) && !small.some((each) => meet(place, inner(each.box)));
    const found = [...places(box, wide, tall)].find(free);
    node.classList.toggle('spare', !found);
    const { left, top } = found ?? rect(Math.min(box.left, width - wide), box.top - tall, wide, tall);
    if (found) taken.push(found);
    label.style.left = `${left - cornerOf(node, width, 'left')}px`;
    label.style.top = `${top - cornerOf(node, height, 'top')}px`;
  }
}

/** A box without its edge, so that what only touches does not meet. */
const inner = ({ left, top, right, bottom }) => ({ left: left + 1, top: top + 1, right: right - 1, bottom: bottom - 1 });

/** Where a node's own corner lies inside of its edge, in pixels; labels are placed from there. */
const cornerOf = (node, size, side) => parseFloat(node.style[side]) * size / 100 + (node.classList.contains('box') ? EDGE : 0);
