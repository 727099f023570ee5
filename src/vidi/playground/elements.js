// Finding and making elements.

export const $ = (id) => document.getElementById(id);

export function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export const button = (text, onclick, className = '') =>
  element('button', { type: 'button', textContent: text, className, onclick });

/** A picture in small, or its kind where the browser cannot show it. */
export const miniature = ({ url, unseen, type }) => (unseen
  ? element('span', { textContent: type.slice(6).toUpperCase() })
  : element('img', { loading: 'lazy', decoding: 'async', alt: '', src: url }));
