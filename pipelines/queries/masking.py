"""Masks calls stored with raw text (`--keep-text raw`) for readers without access to personal data (they hear beeped sound).

Typed text (notes, titles, reasons) is masked before it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.languages.language import LANGUAGES
from pipelines.core.published import Published, Row
from pipelines.redact.step import mask_text

VIEWS_WITH_QUOTES = ("findings", "criterion_results", "coaching_clips", "call_summaries")


def mask_typed(text: str) -> str:
    """A typed text with its personal data masked, in any supported language."""
    for language in LANGUAGES:
        text = mask_text(text, language)
    return text


def mask(published: Published, call_id: str, rows: dict[str, list[Row]]) -> None:
    """Replace personal data by placeholders in the rows of one call by view (as `call_details.read_calls` returns them)."""
    personal = published.of_calls("personal_data", [call_id], "start_s", "kind, turn_no, start_s, end_s")
    if not personal:
        return
    words = published.of_calls("words", [call_id], "turn_no, word_no", "turn_no, word_no, text, start_s, end_s")
    for turn in rows.get("turns", []):
        if any(p["turn_no"] == turn["turn_no"] for p in personal):
            turn["text"] = masked([w for w in words if w["turn_no"] == turn["turn_no"]], personal)
    for view in VIEWS_WITH_QUOTES:
        for row in rows.get(view, []):
            if row["quote"] and any(_meet(p, row) for p in personal):
                row["quote"] = (
                    masked([w for w in words if row["start_s"] - 0.01 <= w["start_s"] and w["end_s"] <= row["end_s"] + 0.01], personal)
                    or "[…]"
                )


def masked(words: Sequence[Row], personal: Sequence[Row]) -> str:
    """The words as one text, each run of personal data as one placeholder."""
    said: list[str] = []
    for word in words:
        piece = next((p for p in personal if _meet(p, word)), None)
        text = f"[{piece['kind'].upper()}]" if piece else word["text"]
        if not (piece and said and said[-1] == text):
            said.append(text)
    return " ".join(said)


def _meet(one: Row, other: Row) -> bool:
    return bool(one["start_s"] < other["end_s"] and other["start_s"] < one["end_s"])
