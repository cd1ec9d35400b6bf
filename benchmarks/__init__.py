"""Measurements against peers, each a command: ``python -m benchmarks.NAME``."""
