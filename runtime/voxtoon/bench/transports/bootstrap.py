"""What runs first on a device, with nothing but its Python: unpack what came, measure, clean up.

``python3 bootstrap.py REQUEST [CARGO]``: the cargo is a tar file, or comes on standard input after a line
with its length. While standard input is the cargo's way, its end means that the host is gone; otherwise
what is told is kept beside the cargo as well, in ``lines.jsonl``. The host reads what this prints, line by
line. The syntax is that of any Python 3, so that one that is too old can be told so.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from typing import IO, Any

LEAST_PYTHON = (3, 10)
PACKAGES = ("numpy", "soxr", "soundfile", "resvg_py")
ENGINES = ("onnxruntime", "ai_edge_litert", "tflite_runtime")


def tell(value: Any) -> None:
    """Print one object on a line of its own."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def refuse(problem: str, **figures: Any) -> None:
    """Say what is wrong with this device, and end."""
    tell(dict(figures, refused=problem))
    sys.exit(2)


def check_python() -> None:
    """Refuse a Python that cannot run voxtoon, or lacks what voxtoon needs."""
    if sys.version_info < LEAST_PYTHON:
        refuse("python", got="{}.{}".format(*sys.version_info), least="{}.{}".format(*LEAST_PYTHON))
    from importlib.util import find_spec

    missing = [name for name in PACKAGES if find_spec(name) is None]
    if not any(find_spec(name) for name in ENGINES):
        missing.append("onnxruntime")
    if missing:
        refuse("packages", missing=missing)


def unpack(cargo: Any, folder: str) -> None:
    """Unpack the cargo, and take its file away: the device may have little room."""
    import tarfile

    packed = os.path.join(folder, "cargo.tar") if cargo is None else cargo
    try:
        if cargo is None:
            receive(packed)
        with tarfile.open(packed) as tar:
            if hasattr(tarfile, "data_filter"):
                tar.extraction_filter = tarfile.data_filter
            tar.extractall(folder)
        os.remove(packed)
    except OSError as error:
        refuse("disk", got=error.strerror or str(error), folder=folder)


def receive(path: str) -> None:
    """Write what comes on standard input to a file."""
    stream = sys.stdin.buffer
    left = int(stream.readline() or b"-1")
    with open(path, "wb") as file:
        while left:
            block = stream.read(min(left, 1 << 20)) if left > 0 else b""
            if not block:
                refuse("cargo")
            file.write(block)
            left -= len(block)


def kill_when_the_host_is_gone(child: Any) -> None:
    """Wait for the end of standard input; `main` notices the end of the child."""
    while os.read(0, 4096):
        pass
    end(child)


def pass_on(lines: IO[bytes], path: str) -> None:
    """Keep every line in a file before it is printed."""
    with open(path, "wb") as kept:
        for line in lines:
            kept.write(line)
            kept.flush()
            os.write(1, line)


def end(child: Any) -> None:
    """Kill the child and what it started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:
        pass


def leave(number: int, frame: Any) -> None:
    """Let a signal end this as an exception does, so that all is cleaned up."""
    sys.exit(128 + number)


def measure(request: str, cargo: Any, folder: str) -> int:
    """Run the protocol on what was unpacked, and tell if it died."""
    child = subprocess.Popen(
        [sys.executable, "-m", "voxtoon.bench", request],
        cwd=folder,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])),
        stdin=subprocess.DEVNULL,
        stdout=None if cargo is None else subprocess.PIPE,
        start_new_session=True,
    )
    try:
        if child.stdout is not None:
            pass_on(child.stdout, os.path.join(os.path.dirname(cargo), "lines.jsonl"))
        else:
            watcher = threading.Thread(target=kill_when_the_host_is_gone, args=(child,))
            watcher.daemon = True
            watcher.start()
        code = child.wait()
        if code < 0:
            tell({"signal": -code})
        return code
    finally:
        end(child)


def main() -> None:
    """Check, unpack, measure, clean up."""
    for name in ("SIGHUP", "SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), leave)
    check_python()
    cargo = sys.argv[2] if len(sys.argv) > 2 else None
    parent = None if cargo is None else os.path.dirname(cargo)
    folder = ""
    try:
        folder = tempfile.mkdtemp(prefix="voxtoon-bench-", dir=parent)
    except OSError as error:
        refuse("disk", got=error.strerror or str(error), folder=parent or tempfile.gettempdir())
    try:
        unpack(cargo, folder)
        code = measure(sys.argv[1], cargo, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(abs(code))


if __name__ == "__main__":
    main()
