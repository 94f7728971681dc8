"""Log lines written by a thread of their own, so that whoever logs never waits for a disk or a pipe."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence

MOST_WAITING = 10_000  # lines
PATIENCE_S = 2.0  # that flushing and closing wait for whoever takes the lines


class AsideHandler(logging.Handler):
    """Hands lines on to other handlers; where those come to a stop, lines are dropped, and counted.

    A standard error that nobody reads would otherwise stop the event loop, and all who sing with it.

    Args:
        targets: that write; they are closed with this one.
        most_waiting: lines that may wait to be written.
    """

    def __init__(self, targets: Sequence[logging.Handler], most_waiting: int = MOST_WAITING) -> None:
        super().__init__()
        self._targets = targets
        self._lines: queue.Queue[logging.LogRecord | threading.Event] = queue.Queue(most_waiting)
        self._dropped = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="autovoice-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Put a line into the queue, with what it says at this moment."""
        record.msg, record.args = record.getMessage(), None
        try:
            self._lines.put_nowait(record)
        except queue.Full:
            self._dropped += 1

    def flush(self) -> None:
        """Wait, but not for long, until what was logged so far is written."""
        written = threading.Event()
        try:
            self._lines.put(written, timeout=PATIENCE_S)
        except queue.Full:
            return
        written.wait(PATIENCE_S)

    def close(self) -> None:
        """Write what waits, if that does not take long, and end."""
        if not self._ending.is_set():
            self.flush()
            self._ending.set()
            self._wake()
            self._thread.join(PATIENCE_S)
            if not self._thread.is_alive():
                for target in self._targets:
                    target.close()
        super().close()

    def _wake(self) -> None:
        try:
            self._lines.put_nowait(threading.Event())
        except queue.Full:
            return  # it is awake

    def _run(self) -> None:
        while not self._ending.is_set():
            entry = self._lines.get()
            if isinstance(entry, threading.Event):
                for target in self._targets:
                    target.flush()
                entry.set()
                continue
            self.acquire()  # that `emit` is called under
            lost, self._dropped = self._dropped, 0
            self.release()
            if lost:
                self._write(_about_lost(lost, entry))
            self._write(entry)

    def _write(self, record: logging.LogRecord) -> None:
        for target in self._targets:
            if record.levelno >= target.level:
                target.handle(record)


def _about_lost(count: int, after: logging.LogRecord) -> logging.LogRecord:
    text = f"{count} lines were lost: whoever takes the log is too slow"
    made = logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)
    made.__dict__ |= {"about": "", "about_last": "", "created": after.created}
    return made
