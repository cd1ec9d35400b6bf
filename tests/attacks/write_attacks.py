"""Bundles that a reader must refuse, and a few it must not: one folder each, for readers in any language.

``python tests/attacks/write_attacks.py OUT`` writes ``OUT/<attack>/bundle`` (a folder) or
``OUT/<attack>/bundle.voxtoon`` (a zip) beside ``OUT/<attack>/expected.txt``, whose one line is ``good``,
``check: which`` (the bundle is damaged) or ``input: which`` (this is no bundle, or one of a version that the
reader does not know). A reader under test opens the bundle and checks every file.
"""

import sys
from pathlib import Path

from folder_attacks import FOLDER_ATTACKS
from manifest_attacks import MANIFEST_ATTACKS
from zip_attacks import ZIP_ATTACKS

ATTACKS = [*MANIFEST_ATTACKS, *FOLDER_ATTACKS, *ZIP_ATTACKS]

if __name__ == "__main__":
    for attack in ATTACKS:
        attack.write(Path(sys.argv[1]) / attack.name)
