"""``python -m voxtoon``."""

import sys

from voxtoon.cli import main

if __name__ == "__main__":
    sys.exit(main())
