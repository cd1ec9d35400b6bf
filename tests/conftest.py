"""Lets tests import the bundle attacks, which are scripts of their own for readers in other languages."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "attacks"))
