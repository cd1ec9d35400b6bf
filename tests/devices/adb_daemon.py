"""A stand-in for the daemon of an Android device: enough of adb's protocol for push, pull and shell.

A real adb client connects to it over TCP. Commands are run by the shell of this machine, and files are those
of this machine under a folder that stands for the device's ``/data/local/tmp``. The protocol is described in
the public documents of the Android source: ``protocol.txt``, ``SERVICES.TXT``, ``SYNC.TXT``.
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

_HEADER = struct.Struct("<6I")
_VERSION, _MOST = 0x01000000, 64 * 1024
_BANNER = b"device::ro.product.name=stand-in;ro.product.model=Stand-in;features=shell_v2,cmd"
_STDOUT, _STDERR, _EXIT = 1, 2, 3
TEMPORARY = "/data/local/tmp"


@dataclass
class Daemon:
    """A listening device; ``free_bytes`` limits what may be pushed."""

    port: int
    folder: Path
    free_bytes: int = 1 << 40
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)

    @property
    def serial(self) -> str:
        """As ``adb devices`` calls it."""
        return f"127.0.0.1:{self.port}"

    def unplug(self) -> None:
        """End all connections, and what the shells run, as when the cable is pulled."""
        for process in self.running:
            with suppress(OSError):
                os.killpg(process.pid, 1)
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running(folder: Path) -> Iterator[Daemon]:
    """Listen for adb clients."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        daemon = Daemon(server.getsockname()[1], folder)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    daemon.connections.append(connection)
                    threading.Thread(target=_Connection(daemon, connection).serve, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield daemon
        server.shutdown(socket.SHUT_RDWR)
        daemon.unplug()


class _Connection:
    """One client: streams that are opened over one socket, told apart by numbers."""

    def __init__(self, daemon: Daemon, connection: socket.socket) -> None:
        self._daemon, self._socket = daemon, connection
        self._lock = threading.Lock()
        self._streams: dict[int, _Stream] = {}

    def serve(self) -> None:
        """Take messages until the client is gone."""
        with suppress(OSError):
            while True:
                command, first, second, payload = self._receive()
                if command == b"CNXN":
                    self.send(b"CNXN", _VERSION, _MOST, _BANNER)
                elif command == b"OPEN":
                    self._open(first, payload.rstrip(b"\0").decode())
                elif command == b"WRTE":
                    self._streams[second].feed(payload)
                    self.send(b"OKAY", second, first)
                elif command == b"OKAY" and second in self._streams:
                    self._streams[second].client_is_ready()
                elif command == b"CLSE" and second in self._streams:
                    self._streams.pop(second).end()

    def send(self, command: bytes, first: int, second: int, payload: bytes = b"") -> None:
        """Send one message."""
        number = int.from_bytes(command, "little")
        header = _HEADER.pack(
            number, first, second, len(payload), sum(payload) & 0xFFFFFFFF, number ^ 0xFFFFFFFF
        )
        with self._lock:
            self._socket.sendall(header + payload)

    def _open(self, theirs: int, service: str) -> None:
        mine = len(self._streams) + 1 + (theirs << 8)
        stream = _Stream(self, mine, theirs)
        serve = self._service(service)
        if serve is None:
            self.send(b"CLSE", 0, theirs)
            return
        self._streams[mine] = stream
        self.send(b"OKAY", mine, theirs)
        threading.Thread(target=stream.run, args=(serve,), daemon=True).start()

    def _service(self, service: str) -> Callable[[_Stream], None] | None:
        if service.startswith("shell,v2"):
            return lambda stream: _shell(self._daemon, stream, service.partition(":")[2])
        if service == "sync:":
            return lambda stream: _sync(self._daemon, stream)
        return None

    def _receive(self) -> tuple[bytes, int, int, bytes]:
        number, first, second, length, _, _ = _HEADER.unpack(self._exactly(_HEADER.size))
        return number.to_bytes(4, "little"), first, second, self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        found = b""
        while len(found) < length:
            block = self._socket.recv(length - len(found))
            if not block:
                raise OSError("the client is gone")
            found += block
        return found


class _Stream:
    """A service's end of one stream: it reads and writes bytes, one message in flight at a time."""

    def __init__(self, connection: _Connection, mine: int, theirs: int) -> None:
        self._connection, self._mine, self._theirs = connection, mine, theirs
        self._came = bytearray()
        self._ended = False
        self._changed = threading.Condition()
        self._ready = threading.Semaphore(1)
        self.at_end: Callable[[], None] = lambda: None

    def run(self, serve: Callable[[_Stream], None]) -> None:
        with suppress(OSError):
            try:
                serve(self)
            finally:
                self._connection.send(b"CLSE", self._mine, self._theirs)

    def feed(self, payload: bytes) -> None:
        with self._changed:
            self._came += payload
            self._changed.notify()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._ready.release()
        self.at_end()

    def client_is_ready(self) -> None:
        self._ready.release()

    def read(self, length: int) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: len(self._came) >= length or self._ended)
            if len(self._came) < length:
                raise OSError("the stream is closed")
            found = bytes(self._came[:length])
            del self._came[:length]
            return found

    def write(self, payload: bytes) -> None:
        for start in range(0, len(payload), _MOST):
            self._ready.acquire()
            if self._ended:
                raise OSError("the stream is closed")
            self._connection.send(b"WRTE", self._mine, self._theirs, payload[start : start + _MOST])


def _shell(daemon: Daemon, stream: _Stream, command: str) -> None:
    """Run a command; packets of a kind, a length and bytes, the last one with the exit code."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", command.replace(TEMPORARY, str(daemon.folder))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    daemon.running.append(process)
    stream.at_end = lambda: _hang_up(process)

    def pass_on(kind: int, source: int) -> None:
        with suppress(OSError):
            while block := os.read(source, 4096):
                stream.write(struct.pack("<BI", kind, len(block)) + block)

    assert process.stdout is not None
    assert process.stderr is not None
    ways = ((_STDOUT, process.stdout.fileno()), (_STDERR, process.stderr.fileno()))
    threads = [threading.Thread(target=pass_on, args=way, daemon=True) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    code = process.wait()
    stream.write(struct.pack("<BIB", _EXIT, 1, code & 0xFF))


def _hang_up(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        os.killpg(process.pid, 1)


def _sync(daemon: Daemon, stream: _Stream) -> None:
    """Push and pull."""
    while True:
        name, length = struct.unpack("<4sI", stream.read(8))
        if name == b"QUIT":
            return
        path = stream.read(length).decode()
        if name == b"STAT":
            stream.write(b"STAT" + struct.pack("<3I", *_stat(_place(daemon, path))))
        elif name == b"SEND":
            _take(daemon, stream, path)
        elif name == b"RECV":
            _give(stream, _place(daemon, path))
        else:
            _fail(stream, f"unknown request {name!r}")


def _place(daemon: Daemon, path: str) -> Path:
    return Path(path.replace(TEMPORARY, str(daemon.folder)))


def _stat(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mode, found.st_size, int(found.st_mtime)


def _take(daemon: Daemon, stream: _Stream, wanted: str) -> None:
    name, _, _ = wanted.rpartition(",")
    content = bytearray()
    while True:
        kind, length = struct.unpack("<4sI", stream.read(8))
        if kind == b"DONE":
            break
        content += stream.read(length)
    if len(content) > daemon.free_bytes:
        _fail(stream, "couldn't write file: No space left on device")
        return
    path = _place(daemon, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    stream.write(b"OKAY" + struct.pack("<I", 0))


def _give(stream: _Stream, path: Path) -> None:
    if not path.is_file():
        _fail(stream, "No such file or directory")
        return
    content = path.read_bytes()
    for start in range(0, len(content), _MOST):
        block = content[start : start + _MOST]
        stream.write(b"DATA" + struct.pack("<I", len(block)) + block)
    stream.write(b"DONE" + struct.pack("<I", 0))


def _fail(stream: _Stream, reason: str) -> None:
    stream.write(b"FAIL" + struct.pack("<I", len(reason)) + reason.encode())
