"""Errors that people cause in the forms of a scorecard: a key with values, so that pages show them in the reader's language."""

from __future__ import annotations

from datetime import date

from pipelines.core.errors import MisconfiguredError
from pipelines.i18n.wording import Wording, wording


class ScorecardError(MisconfiguredError):
    """A change of a scorecard that is not possible; `str` is its English sentence, for the command line and logs.

    `key` names a text in `i18n/strings/pages/scorecard_errors.yaml`, `values` fill it.
    """

    def __init__(self, key: str, **values: str | int | date) -> None:
        self.key, self.values = key, values
        super().__init__(wording("en")(key, **{name: str(value) for name, value in values.items()}))

    def text(self, w: Wording) -> str:
        """The sentence in a reader's language."""
        return w(self.key, **{name: w.date(value) if isinstance(value, date) else value for name, value in self.values.items()})


class ConflictError(ScorecardError):
    """The profile or the draft was changed by another account since it was read; nothing was written."""
