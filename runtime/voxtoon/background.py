"""A call that is heard on a thread of its own, for those that must not wait: audio callbacks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from .errors import InputError
from .pcm import Chunk
from .stream import CallStream, Update


@dataclass(frozen=True)
class _Job:
    """A chunk and when it begins; None for the end of the call."""

    chunk: Chunk | None
    at_s: float = 0.0
    seconds_s: float = 0.0


class BackgroundCall:
    """Hears a call on one thread of its own; `push` copies the chunk and returns.

    Parameters
    ----------
    call
        Pushed to by nobody else from now on.
    on_update
        Called on that thread with each update.
    on_error
        Called on that thread with what a chunk, the engine or `on_update` raised; the call goes on. What it
        raises itself is dropped.
    queue_s
        Seconds of sound that may wait. What comes beyond them is dropped, counted, and heard as silence.

    Raises
    ------
    InputError
        When the queue is not above 0 s.
    """

    def __init__(
        self,
        call: CallStream,
        *,
        on_update: Callable[[Update], object],
        on_error: Callable[[Exception], object] | None = None,
        queue_s: float = 2.0,
    ) -> None:
        if not queue_s > 0:
            raise InputError("queue_s", got=queue_s, expected="above 0 s")
        self._call = call
        self._on_update = on_update
        self._on_error = on_error or (lambda error: None)
        self._queue_s = queue_s
        self._jobs: deque[_Job] = deque()
        self._waiting_s = 0.0
        self._pushed_s = 0.0
        self._dropped_s = 0.0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="voxtoon call", daemon=True)
        self._thread.start()

    @property
    def dropped_s(self) -> float:
        """Seconds that came while the queue was full."""
        return self._dropped_s

    def push(self, chunk: Chunk, *, at_s: float | None = None) -> bool:
        """Queue the next samples of the call.

        Parameters
        ----------
        chunk, at_s
            As in `CallStream.push`.

        Returns
        -------
        bool
            False when they were dropped.

        Raises
        ------
        InputError
            When the call is closed.
        """
        seconds_s = self._call.seconds_in(chunk)
        kept = bytes(chunk) if isinstance(chunk, bytes | bytearray | memoryview) else np.array(chunk)
        with self._changed:
            if self._closed:
                raise InputError("the call is closed", hint="open another one")
            at_s = self._pushed_s if at_s is None else at_s
            self._pushed_s = at_s + seconds_s
            if self._waiting_s + seconds_s > self._queue_s and self._jobs:
                self._dropped_s += seconds_s
                return False
            self._jobs.append(_Job(kept, at_s, seconds_s))
            self._waiting_s += seconds_s
            self._changed.notify_all()
        return True

    def flush(self) -> None:
        """End the call when everything queued is heard; its last update comes as all others do."""
        with self._changed:
            self._jobs.append(_Job(None))
            self._pushed_s = 0.0
            self._changed.notify_all()

    def join(self) -> None:
        """Wait until everything queued is heard."""
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs)

    def close(self) -> None:
        """Forget what is queued, wait for the chunk that is being heard, and close the call.

        Closing twice is fine, and so is closing from `on_update`.
        """
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._call.close()

    def __enter__(self) -> BackgroundCall:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._closed)
                if self._closed:
                    return
                job = self._jobs[0]  # it stays until it is heard: `join` waits for it
            self._hear(job)
            with self._changed:
                if self._jobs and self._jobs[0] is job:
                    self._jobs.popleft()
                    self._waiting_s -= job.seconds_s
                self._changed.notify_all()

    def _hear(self, job: _Job) -> None:
        try:
            if job.chunk is None:
                last = self._call.flush()
                updates = [] if last is None else [last]
            else:
                updates = self._call.push(job.chunk, at_s=job.at_s)
        except Exception as error:
            self._tell(error)
            return
        for update in updates:
            try:
                self._on_update(update)
            except Exception as error:
                self._tell(error)

    def _tell(self, error: Exception) -> None:
        with suppress(Exception):
            self._on_error(error)
