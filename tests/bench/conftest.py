"""Puts the repository root on the path: `bench` is a folder of scripts, not an installed package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
