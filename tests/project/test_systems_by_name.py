"""No code outside the declarations decides anything by the name of a system."""

import ast
from pathlib import Path

import pytest

from voxtoon_export.systems import SYSTEMS

ROOT = Path(__file__).resolve().parents[2]
# Where a system may be named: its declaration, the list of systems, the data of its programs' layouts.
NAMED = {
    *(f"systems/{name}.py" for name in ("__init__", *SYSTEMS)),
    *(
        f"checkpoint_layouts/{name}.py"
        for name in ("aqibahmad", "imatge_upc", "kacper_pietkun", "others", "saiteja_talluri")
    ),
}
CODE = [
    path
    for folder in ("runtime/voxtoon", "export/voxtoon_export", "quantize/voxtoon_quantize")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.relative_to(ROOT / folder).as_posix() not in NAMED
]


def words_that_decide(path):
    """Texts and names in a module; not its docstrings, which decide nothing."""
    tree = ast.parse(path.read_text())
    loose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and id(node) not in loose:
                yield node.value
            continue
        for field in ("id", "attr", "name", "module", "arg"):
            yield str(getattr(node, field, None) or "")


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_code_outside_the_declarations_knows_a_system_by_name(path):
    found = [word for word in words_that_decide(path) for name in SYSTEMS if name in word.lower()]
    assert found == []


def test_the_names_are_looked_for_where_they_are():
    """The search itself finds what it is to find."""
    declaration = ROOT / "export/voxtoon_export/systems/wav2pix.py"
    assert any("wav2pix" in word for word in words_that_decide(declaration))
    assert len(CODE) > 60
