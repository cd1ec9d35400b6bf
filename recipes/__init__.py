"""How the default model was made: run each with ``python -m recipes.NAME``."""
