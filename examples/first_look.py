"""Caption a photograph and box its objects through the unmodified google-genai SDK.

Starts `vidi serve` on a free port, asks it exactly as Google's guide asks Gemini, prints both answers and
leaves an annotated PNG. Usage: python examples/first_look.py [PHOTO]
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from google import genai
from google.genai import types

MODEL = "gemini-3-flash-preview"
DETECT = (
    "Detect the all of the prominent items in the image. "
    "The box_2d should be [ymin, xmin, ymax, xmax] normalized to 0-1000."
)
OUTPUT = Path("demo-output")


def sample_photo() -> Path:
    """A photograph that the scikit-image package ships; the package itself is not imported."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("Name a photo: python examples/first_look.py PHOTO (the demo's own comes with scikit-image)")
    return Path(spec.submodule_search_locations[0]) / "data" / "chelsea.png"


@contextmanager
def server() -> Iterator[str]:
    """A running `vidi serve`; gives its URL."""
    vidi = Path(sys.executable).with_name("vidi")
    process = subprocess.Popen([vidi, "serve", "--port", "0"], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            sys.stderr.write(line)
            if found := re.search(r"GOOGLE_GEMINI_BASE_URL=(\S+)", line):
                yield found[1]
                return
        sys.exit("vidi serve did not start.")
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Ask, print, draw."""
    photo = Path(sys.argv[1]) if any(sys.argv[1:]) else sample_photo()
    if not photo.is_file():
        sys.exit(f"There is no photo {photo}.")
    with server() as url:
        client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=url))
        image = types.Part.from_bytes(data=photo.read_bytes(), mime_type="image/jpeg")

        caption = client.models.generate_content(model=MODEL, contents=[image, "Caption this image."])
        sys.stdout.write(f"\n{photo.name}: {caption.text}\n\n")

        boxes = client.models.generate_content(
            model=MODEL,
            contents=[image, DETECT],
            config=types.GenerateContentConfig(response_mime_type="application/json"),
        )
        for found in json.loads(boxes.text or "[]"):
            sys.stdout.write(f"{found['label']:16} {found['box_2d']}\n")

        OUTPUT.mkdir(exist_ok=True)
        drawing = OUTPUT / f"{photo.stem}.png"
        vidi = Path(sys.executable).with_name("vidi")
        subprocess.run(
            [vidi, "detect", photo, "--server", url, "--draw", drawing, "--json"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        sys.stdout.write(f"\nannotated: {drawing}\n")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nStopped. The next run goes on from here.")
