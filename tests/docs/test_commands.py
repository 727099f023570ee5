"""Every command of the pages, run as it stands or, where that cannot be here, held against what it names."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.docs.pages import LANGUAGES, PAGES, ROOT, Block, blocks, with_output
from tests.docs.reader import file_name, folder_of, logical_lines, run
from tests.http.live import Live, live
from vidi.cli.main import main
from vidi.engines.lite.weights.assets import Weights

NOT_RUN = {
    r"^make ": "a target of the Makefile, which runs these tests or installs what they stand on",
    r"^(python3? -m |.*/)?pip install |^uv |^pipx ": "installs packages; tests/test_release.py does it",
    r"^python3 -m venv |^cd / &&": "installs packages; tests/test_release.py does it",
    r"\b(docker|buildah|debootstrap) |^tools/run_unit": "needs root or a daemon; docs/operations.md",
    r"^(\.venv/bin/)?python -m (bench|hatchling)": "takes minutes; tests/bench, tests/test_release.py",
    r"^vidi pull (?!vidi-lite --from)": "needs a model hub; tests/cli/test_pull.py has one of its own",
    r"^vidi models rm ": "needs what a hub gave; tests/cli/test_models.py",
    r"^vidi serve --model my-model": "needs what a hub gave; tests/model/test_shapes.py",
    r"^kill -HUP ": "needs a server that stays; tests/http/test_keys.py",
    r"^export (VIDI_DATABASE_URL|VIDI_BLOB_URL|AWS_)": "needs a cluster; tests/http/test_cluster.py",
    r"^(sqlite3|cp -a) /": "is about an installed server; tests/test_operations.py runs the block",
    r"^export GOOGLE_GEMINI_BASE_URL=https": "needs a proxy; tests/test_operations.py",
}
"""Commands that are not run here, and why. They are checked for what they name instead."""

INSTEAD = {
    "pip install .": 'pip install --quiet --no-deps --no-build-isolation --no-index --target "$PYTHONPATH" .',
}
"""Commands that would change this environment, and what is run for them."""

PROGRAMS = {
    "docs/clients.md": "cut from programs that tests/clients and tests/sdk run whole",
}
"""Pages whose Python is not run here, and why."""

READMES = [ROOT / "README.md", ROOT / "README.tr.md"]
MASKS = ROOT / "docs" / "segmentation.md"
BEGIN = ROOT / "docs" / "begin.md"
ON_LITE = [page for page in PAGES if page.parent.name == "tasks" or page in {BEGIN, MASKS, *READMES}]
"""Pages that show what the built-in engine answers."""

UPDATE = "UPDATE_GOLDEN=1 pytest tests/docs/test_commands.py"

TOOLS = ("bash", "curl", "jq", "base64", "tr")
MISSING = [name for name in TOOLS if shutil.which(name) is None]
needs_tools = pytest.mark.skipif(bool(MISSING), reason=f"not installed here: {', '.join(MISSING)}")

SKIMAGE = importlib.util.find_spec("skimage")


def commands(page: Path) -> list[Block]:
    """What a reader of the page types, runs, or writes into a file; of a translation what is not the same."""
    same = {_bare(block) for block in blocks(READMES[0])} if page == READMES[1] else set()
    return [
        block
        for block in blocks(page)
        if (block.language == "sh" and _bare(block) not in same)
        or (block.language == "python" and block.page not in PROGRAMS)
        or file_name(block)
    ]


def _bare(block: Block) -> str:
    """A block without comments."""
    return re.sub(r"\s+#.*", "", block.text)


def reason(line: str) -> str:
    """Why a command is not run here; "" if it is."""
    return next((why for pattern, why in NOT_RUN.items() if re.search(pattern, line.strip())), "")


def as_run(block: Block, server: Live) -> str:
    """A block's text with the address of the test's server, and without what is not run."""
    text = re.sub(r"http://(127\.0\.0\.1|vidi\.lan):8484", f"http://127.0.0.1:{server.port}", block.text)
    if block.language != "sh":
        return text
    lines = (INSTEAD.get(line, "" if reason(line) else line) for line in logical_lines(text))
    return "\n".join(lines) + "\n"


def _cache(weights: Weights) -> str:
    """The cache directory in which the weights lie."""
    return str(weights.detector.parents[1])


@pytest.fixture(scope="session")
def lite_server(tmp_path_factory: pytest.TempPathFactory, real_weights: Weights) -> Iterator[Live]:
    with live(
        tmp_path_factory.mktemp("docs"), "--model", "vidi-lite", VIDI_CACHE_DIR=_cache(real_weights)
    ) as started:
        yield started


@pytest.fixture(scope="session")
def quick_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live(tmp_path_factory.mktemp("docs")) as started:
        yield started


def typed(page: Path, server: Live, folder: Path, **environment: str) -> dict[int, str]:
    """Run a page's commands as its reader; what each block said, by its line."""
    port = str(server.port)
    return run(
        commands(page),
        folder_of(folder / "reader"),
        lambda block: as_run(block, server),
        {
            "GOOGLE_GEMINI_BASE_URL": f"http://127.0.0.1:{port}",
            "GEMINI_API_KEY": "any",
            "TAKEN_PORT": port,
            "PYTHONPATH": str(folder / "site"),
            "VIDI_DATA_DIR": str(folder / "data"),
            "VIDI_PORT": port,
            **environment,
        },
    )


def held_against_the_page(page: Path, said: dict[int, str], server: Live) -> None:
    """Compare what the commands said with what the page shows; with UPDATE_GOLDEN=1 write it there."""
    for block in reversed(commands(page)):
        if block.output is None or file_name(block):
            continue
        answer = said[block.line].replace(f":{server.port}", ":8484")
        if os.environ.get("UPDATE_GOLDEN"):
            with_output(page, block.line, answer)
        else:
            assert answer == block.output, f"{block.place} prints something else; if it is right: {UPDATE}"


@pytest.mark.slow
@needs_tools
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page not in ON_LITE and commands(page)],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_the_commands_of_a_page_run(page: Path, quick_server: Live, tmp_path: Path) -> None:
    said = typed(page, quick_server, tmp_path, VIDI_MODEL="echo", VIDI_CACHE_DIR=str(tmp_path / "cache"))
    held_against_the_page(page, said, quick_server)


@pytest.mark.slow
@pytest.mark.weights
@needs_tools
@pytest.mark.skipif(
    SKIMAGE is None, reason="the photographs come with scikit-image (requirements/photos.txt)"
)
@pytest.mark.parametrize("page", ON_LITE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_task_gives_the_answers_that_its_page_shows(
    page: Path, lite_server: Live, real_weights: Weights, tmp_path: Path
) -> None:
    server = "" if page == BEGIN else f"http://127.0.0.1:{lite_server.port}"
    said = typed(page, lite_server, tmp_path, VIDI_CACHE_DIR=_cache(real_weights), ASKED_SERVER=server)
    held_against_the_page(page, said, lite_server)


def _shell_lines() -> Iterator[tuple[str, str]]:
    """Where each command stands, and the command."""
    for page in PAGES:
        for block in blocks(page):
            if block.language == "sh":
                for line in logical_lines(block.text):
                    yield block.place, line


def _inline_commands() -> Iterator[tuple[str, str]]:
    """Commands of `vidi` in the middle of sentences."""
    for page in PAGES:
        prose = re.sub(r"^( *)```.*?^\1```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        for found in re.findall(r"`((?:VIDI_\w+=\S+ )*vidi [^`]*)`", prose):
            yield page.relative_to(ROOT).as_posix(), " ".join(found.split())


def test_every_block_says_what_it_is() -> None:
    found = [block for page in PAGES for block in blocks(page)]
    assert len(found) > 80
    assert [block.place for block in found if block.language not in LANGUAGES] == []


def test_no_reason_is_left_over() -> None:
    lines = [line.strip() for _, line in _shell_lines()]
    assert [pattern for pattern in NOT_RUN if not any(re.search(pattern, line) for line in lines)] == []
    assert set(PROGRAMS) <= {page.relative_to(ROOT).as_posix() for page in PAGES}


def test_shells_read_every_block() -> None:
    text = "".join(block.text for page in PAGES for block in blocks(page) if block.language == "sh")
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


def test_make_has_the_targets_that_are_named() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {name for _, line in _shell_lines() for name in re.findall(r"\bmake ([a-z]+)\b", line)}
    for page in PAGES:
        named |= set(re.findall(r"`make ([a-z]+)[^`]*`", page.read_text("utf-8")))
    assert {"demo", "docs", "test"} <= named <= targets


def test_files_that_are_named_in_commands_are_there() -> None:
    named = {
        name
        for _, line in _shell_lines()
        for name in re.findall(r"(?<![\w/.])(?:deploy|tools|bench)/[\w./-]+", line)
    }
    assert len(named) > 2
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_vidi_knows_every_command_and_flag_that_is_named() -> None:
    seen = 0
    for place, line in [*_shell_lines(), *_inline_commands()]:
        for part in re.split(r"&&|\|\||;|\|", line):
            words = shlex.split(part, comments=True) if re.search(r"\bvidi\b", part) else []
            while words and re.match(r"\w+=", words[0]):
                words = words[1:]
            words = words[: words.index(">")] if ">" in words else words
            if words and words[0].rsplit("/", 1)[-1] == "vidi":
                seen += 1
                assert not (fault := _fault(words[1:])), f"{place}: {line}: {fault}"
    assert seen > 100


def _fault(words: list[str]) -> str:
    """What `vidi` does not know of a command line; "" if it knows everything."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        below = command.get_command(context, words[0])
        if below is None:
            return "" if re.fullmatch(r"[A-Z.]+", words[0]) else f"no command {words[0]}"
        command, words = below, words[1:]
    flags = {flag for parameter in command.params for flag in [*parameter.opts, *parameter.secondary_opts]}
    flags |= set(command.get_help_option_names(context))
    unknown = [word for word in words if re.match(r"--?[a-z]", word) and word.split("=")[0] not in flags]
    return f"no flag {', '.join(unknown)}" if unknown else ""
