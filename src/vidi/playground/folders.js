// The files of folders that were dropped on the page.

/** So many are looked at; further ones are left. */
const MOST = 5000;

const DEEPEST = 10;

const promised = (call) => new Promise((resolve) => { call(resolve, () => resolve(null)); });

/** The files of entries of the browser's file system, of folders all that lie in them at any depth. */
export async function filesIn(entries, depth = 0) {
  const found = [];
  for (const entry of entries) {
    if (found.length >= MOST) break;
    if (entry.isFile) {
      const file = await promised((done, failed) => entry.file(done, failed));
      if (file) found.push(file);
    } else if (depth < DEEPEST) {
      found.push(...await filesIn(await childrenOf(entry), depth + 1));
    }
  }
  return found.slice(0, MOST);
}

/** A folder's entries; a browser gives them in parts. */
async function childrenOf(folder) {
  const reader = folder.createReader();
  const children = [];
  for (;;) {
    const part = await promised((done, failed) => reader.readEntries(done, failed));
    if (!part?.length) return children;
    children.push(...part);
  }
}
