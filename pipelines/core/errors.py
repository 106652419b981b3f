"""What can go wrong, split by what to do about it.

CallgradeError
├── BadRecordingError     this recording or log row cannot be used: reject it with the reason, go on with the others
├── TransientError        a disk, a network, a lock: try again, nothing was written
└── MisconfiguredError    a person must change something (settings, a YAML file, missing weights): stop, say what and where
"""

from __future__ import annotations

from pipelines.core.printable import printable
from pipelines.core.rejections import Reason


class CallgradeError(Exception):
    """Any error that Callgrade raises on purpose; its text is one plain sentence for a person, with invisible characters escaped."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message, keep="\n"))


class BadRecordingError(CallgradeError):
    """A recording or its row cannot be used; the batch goes on without it."""

    def __init__(self, reason: Reason) -> None:
        Exception.__init__(self, reason)  # the sentence is made only where somebody reads it
        self.reason = reason

    def __str__(self) -> str:
        return self.reason.text()


class TransientError(CallgradeError):
    """Something outside failed for now; the same step may succeed later."""


class MisconfiguredError(CallgradeError):
    """A setting, a file or an installation is wrong; nothing is tried again until a person changes it."""
