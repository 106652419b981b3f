"""The error classes, divided by how to handle them.

CallgradeError ├── BadRecordingError     this recording or log row cannot be used: reject it with the reason, continue with the others
├── TransientError        a disk, a network, a lock: retry, nothing was written └── MisconfiguredError    a person must change something
(settings, a YAML file, missing weights): stop, say what and where
"""

from __future__ import annotations

from pipelines.core.printable import printable
from pipelines.core.rejections import Reason


class CallgradeError(Exception):
    """The base class of all deliberate errors; the text is one plain sentence, with invisible characters escaped."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message, keep="\n"))


class BadRecordingError(CallgradeError):
    """A recording or its row cannot be used; the batch continues without it."""

    def __init__(self, reason: Reason) -> None:
        Exception.__init__(self, reason)  # the sentence is built only when it is read
        self.reason = reason

    def __str__(self) -> str:
        return self.reason.text()


class TransientError(CallgradeError):
    """A temporary external failure; the same step may succeed later."""


class MisconfiguredError(CallgradeError):
    """A setting, a file or an installation is wrong; not retried until a person changes it."""
