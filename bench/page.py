"""What the page at `/` costs: its bytes, its drawing, and what it adds to the API. Needs Chromium and npm."""

from __future__ import annotations

import base64
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import platformdirs

from bench import pictures
from bench.servers import STREAM, Broken, Connection, post, vidi
from bench.speed import ROUNDS, in_turns
from bench.table import Row, Target
from tests.playground.browser import PROGRAMS, BrowserError, Page, driver, started
from vidi.http import playground

BOXES = 200

DRAWING = """(async () => {
  const { Overlay } = await import('/playground/overlay.js');
  const $ = (id) => document.getElementById(id);
  const overlay = new Overlay({
    layer: $('layer'), legend: $('legend'), slider: $('threshold'), sliderLabel: $('threshold-label'),
    readout: $('readout'), panel: $('found'), list: $('items'), veil: $('veil'),
  });
  const shapes = Array.from({ length: %(boxes)d }, (_, at) => {
    const [top, left] = [(at * 37) %% 900, (at * 91) %% 900];
    return { kind: 'box', top, left, bottom: top + 80, right: left + 90, label: `thing ${at %% 20}`,
      score: (at %% 100) / 100, picture: 0 };
  });
  const timed = (act) => {
    const began = performance.now();
    act();
    document.documentElement.getBoundingClientRect(); // so that the layout is in it
    return performance.now() - began;
  };
  const anew = [], sifted = [], bare = [];
  const rows = document.body.appendChild(document.createElement('ul'));
  for (let turn = 0; turn <= %(rounds)d; turn++) {
    anew.push(timed(() => { overlay.clear(); overlay.add(shapes); overlay.turnTo(0); }));
    sifted.push(timed(() => {
      $('threshold').value = 0.1 + (turn %% 8) / 10;
      $('threshold').dispatchEvent(new Event('input'));
    }));
    overlay.clear();
    bare.push(timed(() => {
      rows.replaceChildren(...shapes.map(({ label, top }) =>
        Object.assign(document.createElement('li'), { textContent: `${label} ${top}` })));
    }));
    rows.replaceChildren();
  }
  return [anew.slice(1), sifted.slice(1), bare.slice(1)];
})()"""

FIRST_WORD = """(async () => {
  const $ = (id) => document.getElementById(id);
  const bytes = Uint8Array.from(atob('%(data)s'), (each) => each.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], 'photo.jpg', { type: 'image/jpeg' }));
  const until = (holds) => new Promise((done) => {
    const look = () => (holds() ? (watch.disconnect(), done()) : null);
    const watch = new MutationObserver(look);
    watch.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
    look();
  });
  $('prompt').value = '%(prompt)s';
  const began = performance.now();
  $('stage').dispatchEvent(new DragEvent('drop', { dataTransfer: carried, bubbles: true, cancelable: true }));
  await until(() => document.querySelector('#thumbs li'));
  $('send').click();
  await until(() => $('answer').textContent.startsWith('Echo'));
  const took = performance.now() - began;
  await until(() => $('answer').ariaBusy === 'false');
  document.querySelector('.away').click();
  await until(() => !document.querySelector('#thumbs li'));
  return took;
})()"""


def run() -> Iterator[Row]:
    """Every figure. Raises Broken if something does not work."""
    size = sum(len(asset.plain) for asset in playground.load().assets.values())
    yield Row("page, all files", size / 1000, most=150, unit="kB")
    program, node = next(filter(None, map(shutil.which, PROGRAMS["chromium"])), None), shutil.which("node")
    if program is None or node is None:
        yield Row("page in Chromium", skipped="Chromium or node is not installed")
        return
    try:
        modules = driver(platformdirs.user_cache_path("vidi-tests"))
        with (
            tempfile.TemporaryDirectory() as folder,
            started("chromium", program, node, modules) as browser,
            vidi("echo", Path(folder)) as server,
        ):
            page = browser.open(f"http://127.0.0.1:{server.port}")
            print("first word ...", file=sys.stderr, flush=True)
            with Connection(server) as connection:
                yield from _first_word(page, connection)
            print("drawing ...", file=sys.stderr, flush=True)
            yield from _drawing(page, Path(folder))
    except BrowserError as error:
        raise Broken(str(error)) from error


def _first_word(page: Page, connection: Connection) -> Iterator[Row]:
    """From dropping a photo to the answer's first word, against the same request by a socket."""
    for name, photo in (
        ("photo", pictures.jpeg(1000, 750, noise=7)),
        ("12 MP photo", pictures.camera_jpeg()),
    ):
        asked = post(STREAM, pictures.request([photo]))
        values = {"data": base64.b64encode(photo).decode(), "prompt": pictures.PROMPT}
        expression = FIRST_WORD % values
        seen: list[float] = []

        def api(asked: bytes = asked) -> None:
            connection.send(asked)
            received = b""
            while b"Echo" not in received:
                received += connection.receive()
            while not received.endswith(b"0\r\n\r\n"):
                received += connection.receive()

        def drop(expression: str = expression, seen: list[float] = seen) -> None:
            seen.append(float(page.look(expression)))

        _, theirs = in_turns(ROUNDS, drop, api)
        figures = float(np.median(seen[1:])), float(np.median(theirs))
        kilobytes = len(photo) / 1000
        most = 50 if kilobytes < 1000 else None
        name = f"drop to the first word, {name} of {kilobytes:,.0f} kB"
        yield Row(name, *figures, "the API alone", Target.ADDED, most)


def _drawing(page: Page, folder: Path) -> Iterator[Row]:
    """Boxes over a picture, and the threshold moved; in the page's own clock."""
    photo = folder / "photo.jpg"
    photo.write_bytes(pictures.jpeg(1000, 750, noise=7))
    page.drop(photo)
    times = page.look(DRAWING % {"boxes": BOXES, "rounds": ROUNDS})
    anew, sifted, bare = (float(np.median(each)) for each in times)
    yardstick = f"a bare list of {BOXES} lines"
    yield Row(f"{BOXES} boxes drawn anew", anew, bare, yardstick, most=16)
    yield Row(f"{BOXES} boxes: threshold moved", sifted, bare, yardstick, most=16)
