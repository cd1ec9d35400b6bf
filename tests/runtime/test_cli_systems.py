import json
import re
import subprocess
import sys

from voxtoon.cli import main
from voxtoon_export.checkpoint_layouts import LAYOUTS, OTHERS
from voxtoon_export.systems import SYSTEMS


def test_every_variant_and_layout_is_told(capsys):
    assert main(["systems"]) == 0
    text = capsys.readouterr().out
    for system in SYSTEMS.values():
        assert system.source in text
        assert all(f"  {name}  " in text for name in system.variants)
    assert all(f"  {name}  " in text for name in LAYOUTS)
    assert all(other.title in text and other.reason in text for other in OTHERS)
    assert re.search(r"onnx +fp32 fp16 +runs on onnx", text)


def test_sizes_are_those_of_the_declaration(capsys):
    main(["systems"])
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("  speech2face  "))
    assert row.split()[2:] == ["encoder", "148,062,976", "592.3", "89,196.0", "runtime"]


def test_the_same_comes_as_json(capsys):
    assert main(["systems", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    variants = {variant["name"]: variant for variant in found["systems"][0]["variants"]}
    assert list(variants) == list(SYSTEMS["speech2face"].variants)
    encoder = variants["speech2face"]["parts"][0]
    assert (encoder["parameters"], encoder["inputs"][0]["shape"]) == (148_062_976, [1, "time", 257, 2])
    layouts = {layout["name"]: layout for layout in found["checkpoint_layouts"]}
    assert layouts["voxtoon"]["frames_needed"] is None
    assert "phase" in layouts["saiteja-talluri"]["frames_needed"]


def test_it_needs_none_of_the_export_extra():
    blocked = "torch", "onnx", "safetensors", "h5py"
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked})); from voxtoon.cli import main"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; sys.exit(main(['systems']))"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
