"""What a run tells while it works: named steps with their seconds, to whoever listens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Step:
    """One finished step: stage, subject, wall seconds, the result in words, and when it started.

    ``started`` counts seconds from the beginning of the run.
    """

    stage: str
    subject: str
    seconds: float
    result: str
    started: float = 0.0


Listener = Callable[[str, str, str], None]
"""Called with (stage, subject, result); an empty result says that the step starts."""


@dataclass
class Progress:
    """Collects a run's steps, in the order they end, from any thread."""

    listener: Listener = lambda _stage, _subject, _result: None
    steps: list[Step] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, stage: str, subject: str) -> Iterator[list[str]]:
        """Time a step; the block may append its result's words to the list it is given."""
        words: list[str] = []
        started = time.monotonic()
        self.listener(stage, subject, "")
        try:
            yield words
        except Exception as error:
            words.append(f"failed: {type(error).__name__}")
            raise
        finally:
            result = ", ".join(words) or "done"
            with self._lock:
                self.steps.append(
                    Step(stage, subject, round(time.monotonic() - started, 3), result, round(started - self._began, 3))
                )
            self.listener(stage, subject, result)
