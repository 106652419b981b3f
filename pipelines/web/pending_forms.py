"""Forms submitted after the session had ended: the browser carries them through the sign-in, and they are submitted afterwards.

Nothing of such a form is saved for a client who is not signed in. The sign-in page contains its fields as hidden fields; after a successful
sign-in, an evaluation becomes a draft of that account, and any other form is offered for submission with the token of the new session.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import FormData

from pipelines.web.request_context import MOST_FIELDS, TOKEN_FIELD

# Forms with typed text. Passwords and account changes are never carried.
_PATHS = re.compile(
    r"/evaluate|/dispute|/disputes/\d{1,18}|/trainer/packs(/[\w-]{1,64}(/moments(/[\w-]{1,64})?)?)?"
    r"|/scorecards/[\w-]{1,64}/edit(/(new-criterion|new-topic|(criteria|topics)/[a-z][a-z0-9_]{0,39}))?"
)
PATH_FIELD = "resend_path"
PREFIX = "resend."
_MOST = MOST_FIELDS - 10  # in addition to those of the sign-in form


@dataclass(frozen=True, slots=True)
class PendingForm:
    """A carried form: its path, and its fields in order, without the token of the ended session."""

    path: str
    fields: tuple[tuple[str, str], ...]

    @property
    def form(self) -> FormData:
        return FormData(list(self.fields))

    @property
    def hidden(self) -> Iterator[tuple[str, str]]:
        """Names and values of the hidden fields that carry it through the sign-in form."""
        yield PATH_FIELD, self.path
        for name, value in self.fields:
            yield PREFIX + name, value


async def of_request(request: Request) -> PendingForm | None:
    """The form that a request without a session sent, if it can be carried."""
    if not _PATHS.fullmatch(request.url.path):
        return None
    form = await request.form(max_files=0, max_fields=MOST_FIELDS)
    return _carried(request.url.path, form.multi_items(), "")


def of_sign_in(form: FormData) -> PendingForm | None:
    """The form that a sign-in form carries."""
    path = form.get(PATH_FIELD)
    return _carried(path, form.multi_items(), PREFIX) if isinstance(path, str) and _PATHS.fullmatch(path) else None


def _carried(path: str, items: Sequence[tuple[str, object]], prefix: str) -> PendingForm | None:
    fields = [(name.removeprefix(prefix), value) for name, value in items if name.startswith(prefix) and isinstance(value, str)]
    kept = tuple((name, value) for name, value in fields if name != TOKEN_FIELD)
    return PendingForm(path, kept) if 0 < len(kept) <= _MOST else None
