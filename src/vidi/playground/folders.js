// What was dropped on the page: files, and the files of folders.

/** So many are looked at; further ones are left. */
const MOST = 5000;

const DEEPEST = 10;

const promised = (call) => new Promise((resolve) => { call(resolve, () => resolve(null)); });

/** What a drop carries: {files, folders}; `folders` are the files that lie in folders, at any depth. */
export async function carried({ items, files }) {
  // Before anything is waited for: afterwards a browser has taken the items away.
  const loose = [...files];
  const entries = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const directories = entries.filter(({ isDirectory }) => isDirectory);
  if (!directories.length) return { files: loose, folders: [] };
  const alone = entries.filter(({ isFile }) => isFile);
  return { files: await filesIn(alone), folders: await filesIn(directories) };
}

/** The files of entries of the browser's file system, of folders all that lie in them at any depth. */
async function filesIn(entries, depth = 0) {
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
