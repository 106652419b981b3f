"""Call ids in audit subjects, and the pseudonyms that replace them when a call is forgotten.

A subject is a call's id, text or a key that contains it ("ID criterion", "evidence of ID", "turn:2:ID"), or a requested path. The pseudonym
is derived with a secret of the site: it shows which entries concern the same call, but not which call.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterator
from urllib.parse import unquote

_BETWEEN = re.compile(r"[ /:]")
_LONGEST = 8  # separators in an id: bounds the time for a subject made only of separators
_NO_CALL = ("dispute ", "pack ")  # followed by an id of another kind, which may look like a call's


def parts(subject: str) -> Iterator[tuple[str, str, str]]:
    """Every substring of a subject that may be a call's id, with the text before and after it; the longest first."""
    if subject.startswith(_NO_CALL):
        return
    found = [match.start() for match in _BETWEEN.finditer(subject)]
    starts, ends = [0, *(at + 1 for at in found)], [*found, len(subject)]
    for length in range(min(len(starts), _LONGEST), 0, -1):
        for first in range(len(starts) - length + 1):
            start, end = starts[first], ends[first + length - 1]
            if start < end:
                yield subject[:start], unquote(subject[start:end]), subject[end:]


def pseudonymised(key: bytes, subject: str, call_ids: Collection[str]) -> str:
    """The subject with a pseudonym in place of any of these calls; unchanged where it names none of them."""
    for before, call_id, after in parts(subject):
        if call_id in call_ids:
            digest = hmac.new(key, f"audit {call_id}".encode(), hashlib.sha256).hexdigest()
            return f"{before}forgotten:{digest[:16]}{after}"
    return subject
