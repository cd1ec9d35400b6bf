"""One call of the page: sound goes in, events for the page come out."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from voxtoon.avatar import Avatar, draw_avatar, time_constant_s
from voxtoon.avatar.evaluate import evaluate
from voxtoon.avatar.svg import path_data
from voxtoon.errors import InputError

if TYPE_CHECKING:
    from voxtoon.pipeline import Pipeline
    from voxtoon.stream import CallStream, Update

KEPT_EVENTS = 64


class CallEvents:
    """The call that the page is in, and what it is to show. Any thread may use it.

    Parameters
    ----------
    pipeline
        What to hear with.
    call_options, drawing_options
        Keyword arguments of `Pipeline.stream` and `draw_avatar`.
    """

    def __init__(
        self, pipeline: Pipeline, *, call_options: dict[str, Any], drawing_options: dict[str, Any]
    ) -> None:
        self._pipeline = pipeline
        self._call_options, self._drawing_options = call_options, drawing_options
        self._call: CallStream | None = None
        self._number = 0
        self._events: deque[tuple[int, dict[str, Any]]] = deque(maxlen=KEPT_EVENTS)
        self._count = 0
        self.is_closed = False
        self._changed = threading.Condition()

    def begin(self, *, sample_rate: int) -> int:
        """Begin a call in the place of the one before; returns its number."""
        call = self._pipeline.stream(sample_rate=sample_rate, encoding="f32le", **self._call_options)
        with self._changed:
            if self._call is not None:
                self._call.close()
            self._call = call
            self._number += 1
            self._add({"call": self._number, "state": call.state, "began": True})
            return self._number

    def hear(self, number: int, data: bytes) -> None:
        """Hear some more of a call.

        Raises
        ------
        InputError
            When it is not the one that goes on, or the data are not what `CallStream.push` takes.
        CheckError
            When the engine failed.
        """
        call = self._current(number)
        updates = call.push(data)
        with self._changed:
            for update in updates:
                self._add(self._told(number, update))
            if not updates:
                self._add({"call": number, **_progress(call)}, replaces=True)

    def end(self, number: int) -> None:
        """End a call: its last update comes."""
        last = self._current(number).flush()
        with self._changed:
            self._add({"call": number, "final": True} if last is None else self._told(number, last))

    def after(self, seen: int, *, timeout_s: float) -> list[tuple[int, dict[str, Any]]]:
        """The events after the one of this number, as soon as there are any; none after the timeout."""
        with self._changed:
            self._changed.wait_for(lambda: self._count > seen or self.is_closed, timeout_s)
            return [event for event in self._events if event[0] > seen]

    def close(self) -> None:
        """End the call and let go of everybody who waits for an event."""
        with self._changed:
            self.is_closed = True
            if self._call is not None:
                self._call.close()
            self._changed.notify_all()

    def _current(self, number: int) -> CallStream:
        with self._changed:
            if self._call is None or number != self._number:
                raise InputError("this call has ended", got=number, hint="begin another one")
            return self._call

    def _add(self, event: dict[str, Any], *, replaces: bool = False) -> None:
        """Queue an event; one that replaces takes the place of a last one that did so, too."""
        if replaces and self._events and "progress" in self._events[-1][1]:
            self._events.pop()
        self._count += 1
        self._events.append((self._count, event))
        self._changed.notify_all()

    def _told(self, number: int, update: Update) -> dict[str, Any]:
        told = update.to_json()
        del told["landmarks"]
        return {
            "call": number,
            **told,
            "time_constant_s": round(time_constant_s(update.face.confidence), 3),
            "paths": paths(draw_avatar(update.face, **self._drawing_options)),
        }


def paths(avatar: Avatar) -> list[dict[str, str]]:
    """What the page has to set of each path of the drawing: its id, ``d`` and colours."""
    return [
        {
            "id": shape.id,
            "d": path_data(shape),
            **{name: colour for name, colour in (("fill", shape.fill), ("stroke", shape.stroke)) if colour},
        }
        for shape in evaluate(avatar.parameters)
    ]


def _progress(call: CallStream) -> dict[str, Any]:
    return {
        "progress": True,
        "heard_s": round(call.heard_s, 2),
        "speech_s": round(call.speech_s, 2),
        "state": call.state,
    }
