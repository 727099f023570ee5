"""What the command line remembers of uploads that were interrupted: where the server takes the rest."""

from __future__ import annotations

import hashlib
import os
from dataclasses import astuple, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of the disk, as it is to arrive at a server. Another size or time of change is another upload.

    Attributes:
        server: Its URL.
        path: The file, absolute.
        size: In bytes.
        modified: When the file was changed last, in nanoseconds since 1970.
        name: Wanted name, `files/<id>` or `<id>`; "" takes any.
        display_name: What a listing shows.
        mime_type: "" leaves it to the bytes.
    """

    server: str
    path: Path
    size: int
    modified: int
    name: str = ""
    display_name: str = ""
    mime_type: str = ""


class Unfinished:
    """Upload URLs, one in a file each; such a URL is a secret, so only the user may read them."""

    def __init__(self, folder: Path) -> None:
        """Remember in `folder`, which is made when it is needed."""
        self._folder = folder

    def recall(self, upload: Upload) -> str:
        """Where the rest of an upload goes; "" if nothing is known of it."""
        try:
            return self._file(upload).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def remember(self, upload: Upload, url: str) -> None:
        """Keep an upload's URL.

        Raises:
            OSError: The folder cannot be written.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._file(upload)
        fresh = file.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as writer:
            writer.write(f"{url}\n")
        fresh.replace(file)

    def forget(self, upload: Upload) -> None:
        """Know nothing of an upload."""
        self._file(upload).unlink(missing_ok=True)

    def _file(self, upload: Upload) -> Path:
        told = "\0".join(str(value) for value in astuple(upload))
        return self._folder / hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()[:32]
