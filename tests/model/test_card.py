import json
from hashlib import sha256
from pathlib import Path

SHAPES = Path(__file__).parent / "shapes"


def test_the_card_tells_of_these_files() -> None:
    card = json.loads((SHAPES / "card.json").read_text())
    assert card["sha256"] == {
        path.name: sha256(path.read_bytes()).hexdigest() for path in SHAPES.glob("*.gguf")
    }
    assert sum(path.stat().st_size for path in SHAPES.glob("*.gguf")) < 2_000_000
