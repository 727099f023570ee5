"""Fetching from a hub that works, and from one that does not."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.llama.hub_server import COMMIT, REPOSITORY, Handler, Hub, serve
from vidi import __version__
from vidi.domain.errors import NotFound, PermissionDenied, Unavailable, VidiError
from vidi.engines.llama.hub import NoHub, RemoteFile, download, locate

CONTENT = random.Random(7).randbytes(400_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("HF_TOKEN", "")
    with serve(Hub({"a/model.gguf": CONTENT})) as running:
        yield running


def lose_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is a hang from now on."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT", 0.5)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.5)


def quiet(step: str, done: int, total: int) -> None:
    pass


class Slept:
    """Waits for nothing and remembers how long it should have."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def _locate(hub: Hub, name: str = "a/model.gguf", revision: str = "main", **options: Slept) -> RemoteFile:
    return locate(REPOSITORY, name, revision, endpoint=hub.address, **({"sleep": Slept()} | options))


def test_size_digest_and_commit_are_asked_before_anything_is_fetched(hub: Hub) -> None:
    remote = _locate(hub)
    assert (remote.size, remote.sha256, remote.commit) == (len(CONTENT), DIGEST, COMMIT)
    assert f"/resolve/{COMMIT}/" in remote.address
    assert hub.count("GET") == 0


def test_a_repository_that_was_renamed_is_followed_and_a_circle_is_not(hub: Hub) -> None:
    def moved(handler: Handler) -> bool:
        old = "/old/name/" in handler.path
        return old and handler.refuse(307, Location=handler.path.replace("/old/name/", f"/{REPOSITORY}/"))

    hub.behave = moved
    assert locate("old/name", "a/model.gguf", "main", endpoint=hub.address).sha256 == DIGEST
    hub.behave = lambda handler: handler.refuse(307, Location=handler.path)
    with pytest.raises(NoHub, match="leads to nowhere"):
        _locate(hub)


def test_nothing_is_told_of_this_machine_and_nothing_else_is_asked(hub: Hub, tmp_path: Path) -> None:
    agents: list[str] = []

    def note(handler: Handler) -> bool:
        agents.append(handler.headers["User-Agent"])
        return False

    hub.behave = note
    download(_locate(hub), tmp_path / "x.part", quiet)
    assert set(agents) == {f"vidi/{__version__}"}
    assert [asked[0] for asked in hub.asked] == ["HEAD", "GET"]


def test_a_whole_file_comes_with_its_progress(hub: Hub, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    digest = download(_locate(hub), tmp_path / "x.part", lambda *step: told.append(step))
    assert (tmp_path / "x.part").read_bytes() == CONTENT
    assert digest == DIGEST
    fetched = [done for step, done, total in told if step == "Downloading model.gguf"]
    assert fetched == sorted(fetched)
    assert fetched[-1] == len(CONTENT)
    assert told[-1][0] == "Checking model.gguf"


def test_a_connection_that_breaks_is_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    def behave(handler: Handler) -> bool:
        return handler.command == "GET" and handler.content("a/model.gguf", cut=150_000)

    hub.behave = behave
    slept = Slept()
    assert download(_locate(hub), tmp_path / "x.part", quiet, sleep=slept) == DIGEST
    assert [asked[2] for asked in hub.asked if asked[0] == "GET"] == [
        "bytes=0-",
        "bytes=150000-",
        "bytes=300000-",
    ]
    assert hub.sent == len(CONTENT)
    assert slept.seconds == [1.0, 1.0]


def test_what_an_earlier_process_left_is_gone_on_with(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT[:123_456])
    assert download(_locate(hub), tmp_path / "x.part", quiet) == DIGEST
    assert hub.sent == len(CONTENT) - 123_456


@pytest.mark.parametrize("left", [b"x" * 100_000, b"x" * 400_000, b"x" * 500_000])
def test_what_an_earlier_process_left_of_something_else_is_fetched_anew(
    hub: Hub, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "x.part").write_bytes(left)
    assert download(_locate(hub), tmp_path / "x.part", quiet) == DIGEST
    assert (tmp_path / "x.part").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_everything_again(hub: Hub, tmp_path: Path) -> None:
    def behave(handler: Handler) -> bool:
        del handler.headers["Range"]
        return False

    hub.behave = behave
    (tmp_path / "x.part").write_bytes(CONTENT[:1000])
    assert download(_locate(hub), tmp_path / "x.part", quiet) == DIGEST


def test_another_content_than_promised_is_refused_and_not_kept(hub: Hub, tmp_path: Path) -> None:
    hub.digests["a/model.gguf"] = "0" * 64
    with pytest.raises(Unavailable, match="SHA-256 differs"):
        download(_locate(hub), tmp_path / "x.part", quiet)
    assert not (tmp_path / "x.part").exists()
    assert hub.count("GET") == 1


def test_a_file_that_is_shorter_than_promised_ends_in_an_error(hub: Hub, tmp_path: Path) -> None:
    remote = _locate(hub)
    hub.files["a/model.gguf"] = CONTENT[:300_000]
    with pytest.raises(Unavailable, match=r"416|again and again"):
        download(remote, tmp_path / "x.part", quiet, sleep=Slept())


def test_a_longer_file_is_cut_and_found_out(hub: Hub, tmp_path: Path) -> None:
    remote = _locate(hub)
    hub.files["a/model.gguf"] = b"!" + CONTENT + b"more"
    with pytest.raises(Unavailable, match="SHA-256 differs"):
        download(remote, tmp_path / "x.part", quiet)


def test_a_digest_that_nobody_tells_is_counted_all_the_same(hub: Hub, tmp_path: Path) -> None:
    hub.lfs = False
    remote = _locate(hub)
    assert (remote.sha256, remote.size) == ("", len(CONTENT))
    assert download(remote, tmp_path / "x.part", quiet) == DIGEST


def test_the_token_goes_to_the_hub_and_to_nobody_else(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serve(Hub(hub.files)) as storage:
        hub.storage = storage.address
        assert download(_locate(hub), tmp_path / "x.part", quiet) == DIGEST
    assert {asked[3] for asked in hub.asked} == {"Bearer hf_secret"}
    assert [asked[3] for asked in storage.asked] == [""]
    assert [asked[2] for asked in storage.asked] == ["bytes=0-"]


@pytest.mark.parametrize(
    ("status", "code", "kind", "told"),
    [
        (401, "", PermissionDenied, "HF_TOKEN"),
        (401, "RepoNotFound", PermissionDenied, "private or does not exist"),
        (401, "GatedRepo", PermissionDenied, "accept its licence"),
        (403, "GatedRepo", PermissionDenied, r"Open http.*someone/tiny-GGUF.*HF_TOKEN"),
        (403, "", PermissionDenied, "lack the right.*or a proxy"),
        (404, "EntryNotFound", NotFound, "EntryNotFound.*misspells"),
        (404, "RepoNotFound", NotFound, "RepoNotFound"),
        (410, "", Unavailable, "410"),
    ],
)
def test_a_refusal_is_asked_once_and_says_what_to_do(
    hub: Hub, status: int, code: str, kind: type[VidiError], told: str
) -> None:
    hub.behave = lambda handler: handler.refuse(status, code)
    with pytest.raises(kind, match=told):
        _locate(hub)
    assert len(hub.asked) == 1


def test_what_is_missing_on_the_hub_is_named(hub: Hub) -> None:
    with pytest.raises(NotFound, match=r"absent\.gguf is not on"):
        _locate(hub, "absent.gguf")
    with pytest.raises(NotFound, match="RevisionNotFound"):
        _locate(hub, revision="v9")
    with pytest.raises(NotFound, match="cannot be a repository"):
        locate("no repository//", "x", "main", endpoint=hub.address)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_hub_in_trouble_is_asked_again_and_then_the_person_is_told(hub: Hub, status: int) -> None:
    hub.behave = lambda handler: handler.refuse(status)
    slept = Slept()
    with pytest.raises(NoHub, match=f"{status}"):
        _locate(hub, sleep=slept)
    assert len(hub.asked) == 4
    assert slept.seconds == [1.0, 2.0, 4.0]


def test_trouble_that_passes_costs_only_time(hub: Hub, tmp_path: Path) -> None:
    hub.behave = lambda handler: len(hub.asked) % 2 == 1 and handler.refuse(503)
    assert download(_locate(hub), tmp_path / "x.part", quiet, sleep=Slept()) == DIGEST
    assert len(hub.asked) == 4


def test_a_short_wait_is_waited_and_a_long_one_told(hub: Hub) -> None:
    hub.behave = lambda handler: len(hub.asked) == 1 and handler.refuse(429, Retry_After="7")
    slept = Slept()
    _locate(hub, sleep=slept)
    assert slept.seconds == [7.0]
    hub.behave = lambda handler: handler.refuse(429, Retry_After="300")
    with pytest.raises(Unavailable, match="in 300 seconds") as caught:
        _locate(hub, sleep=slept)
    assert caught.value.retry_after == 300
    assert slept.seconds == [7.0]


@pytest.mark.slow
def test_a_hub_that_hangs_is_given_up(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = _locate(hub)
    lose_patience(monkeypatch)
    hub.behave = lambda handler: handler.content("a/model.gguf", pause=3600)
    (tmp_path / "x.part").write_bytes(CONTENT[:-1])  # Nothing new comes before the pause.
    with pytest.raises(NoHub, match="in time"):
        download(remote, tmp_path / "x.part", quiet, sleep=Slept())
    assert (tmp_path / "x.part").read_bytes() == CONTENT[:-1]

    def hang(handler: Handler) -> bool:
        time.sleep(3600)
        return True

    hub.behave = hang
    with pytest.raises(NoHub, match="in time"):
        _locate(hub)


def test_nobody_at_the_address_is_said(hub: Hub) -> None:
    gone = "http://127.0.0.1:9"
    with pytest.raises(NoHub, match="cannot be reached"):
        locate(REPOSITORY, "a/model.gguf", "main", endpoint=gone, sleep=Slept())


def test_offline_mode_asks_nobody(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = _locate(hub)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    before = len(hub.asked)
    with pytest.raises(NoHub, match="HF_HUB_OFFLINE"):
        _locate(hub)
    with pytest.raises(NoHub, match="HF_HUB_OFFLINE"):
        download(remote, tmp_path / "x.part", quiet)
    assert len(hub.asked) == before


def test_a_login_page_is_no_hub(hub: Hub) -> None:
    def page(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", "99")
        handler.end_headers()
        return True

    hub.behave = page
    with pytest.raises(NoHub, match="HF_ENDPOINT"):
        _locate(hub)


def test_a_full_disk_is_no_network_error(hub: Hub) -> None:
    remote = _locate(hub)
    with pytest.raises(OSError, match="No space left") as caught:
        download(remote, Path("/dev/full"), quiet)
    assert not isinstance(caught.value, VidiError)
