"""The redact step: masks personal data before anything is stored or shown, as `[ACCOUNT]`, `[NAME]` and the like.

Each recognizer finds some kinds; docs/personal-data.md lists what is masked and what is not. A missed number costs more than one masked
word too many.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import numpy as np

from models.languages import language as languages
from models.text.turn_model import TurnReading
from pipelines.core.profile_files import CentreDay, centre_day, profile_file
from pipelines.core.records import PersonalData, Token, Turn
from pipelines.core.settings import Settings
from pipelines.core.staging import Batch
from pipelines.redact.addresses import AddressRecognizer
from pipelines.redact.audio_tail import with_tails
from pipelines.redact.code_words import CodeWordRecognizer
from pipelines.redact.emails import EmailRecognizer
from pipelines.redact.learned import LearnedRecognizer
from pipelines.redact.names import NameRecognizer
from pipelines.redact.numbers import NumberRecognizer
from pipelines.redact.readback import ReadbackRecognizer
from pipelines.redact.recognizer import CallContext, PersonalSpan, Recognizer
from pipelines.redact.truecasing import restore_capitals
from pipelines.turns.model_reading import read_calls
from pipelines.turns.words import contexts_of

MASKS = {f"[{kind}]" for kind in ("ACCOUNT", "CARD", "PHONE", "PASSPORT", "BIRTH_DATE", "NAME", "ADDRESS", "EMAIL", "CODE_WORD")}
MAX_PASSES = 4
RECOGNIZERS: tuple[Recognizer, ...] = (
    EmailRecognizer(),
    NumberRecognizer(),
    AddressRecognizer(),
    CodeWordRecognizer(),
    NameRecognizer(),
    LearnedRecognizer(),
    ReadbackRecognizer(),
)

log = logging.getLogger("callgrade")


def run(batch: Batch, settings: Settings) -> None:
    """Write `turns` (masked) and `personal_data` of the batch.

    Where the unmasked words are gone, the masked turns are masked again, so that stricter rules apply to them; masks are never removed.
    """
    is_again = not batch.has("spoken_turns")
    centre_of = {call.call_id: centre_day(call) for call in batch.calls()}
    audio = {facts.call_id: facts for facts in batch.read("audio")}
    spoken: dict[str, list[Turn]] = defaultdict(list)
    for turn in batch.read("turns" if is_again else "spoken_turns"):
        if turn.call_id in centre_of:
            spoken[turn.call_id].append(turn)
    turns: list[Turn] = []
    found: list[PersonalData] = batch.read("personal_data") if is_again else []
    read = read_calls(list(spoken.values()), settings.profile, settings.models_dir)
    for n, (call_id, reading) in enumerate(zip(spoken, read, strict=True), 1):
        log.info("redact %d/%d %s", n, len(spoken), call_id)
        masked, data = redact_turns(
            spoken[call_id], keep_raw=settings.keep_text == "raw", centre=centre_of[call_id], readings=reading.turns
        )
        turns += masked
        found += with_tails(data, masked, audio[call_id]) if call_id in audio else data
    batch.write("personal_data", dict.fromkeys(found))  # a run that was killed before it wrote the turns had already found some of them
    batch.write("turns", turns)
    batch.write_rejected("redact", [])


def wipe(batch: Batch, settings: Settings) -> None:
    """Remove the unmasked files of a redacted batch unless raw text is kept."""
    if settings.keep_text != "raw":
        batch.wipe_private()


def redact_turns(
    turns: Sequence[Turn], keep_raw: bool = False, centre: CentreDay = ("", None), readings: Mapping[int, TurnReading] | None = None
) -> tuple[list[Turn], list[PersonalData]]:
    """The turns of one call with each piece of personal data as one token, and the times of each.

    Args:
        turns: the turns of the call.
        keep_raw: whether the token also stores the words that it replaces.
        centre: the centre whose company names and terms, as they are in force on that day, are not personal data.
        readings: the turn model's output, by turn number; None where it did not run.
    """
    public_words = _public_words(*centre)
    masked = list(turns)
    read = [readings[turn.turn_no] for turn in turns] if readings else []
    for _ in range(MAX_PASSES):  # masking simplifies the rest; a second pass nearly always finds nothing more
        spans: dict[int, list[PersonalSpan]] = defaultdict(list)
        for span in find_spans(masked, public_words, read):
            spans[span.turn].append(span)
        if not spans:
            break
        masked = [_masked(turn, spans[n], keep_raw) for n, turn in enumerate(masked)]
        read = [_of_masked(reading, spans[n]) for n, reading in enumerate(read)]
    found = [
        PersonalData(turn.call_id, turn.turn_no, token.text[1:-1].lower(), token.start_s, token.end_s)
        for before, turn in zip(turns, masked, strict=True)
        for token in turn.tokens
        if token not in before.tokens and token.text in MASKS
    ]
    return masked, found


def find_spans(
    turns: Sequence[Turn], public_words: frozenset[str] = frozenset(), readings: Sequence[TurnReading] = ()
) -> list[PersonalSpan]:
    """All personal data in the turns of one call, without overlaps; `readings` of the turns in order, if any."""
    call = CallContext([restore_capitals(turn) for turn in contexts_of(turns)], readings, public_words)
    for recognizer in RECOGNIZERS:
        spans = recognizer.recognize(call)
        call.keep(span for span in spans if not recognizer.can_be_ruled_out or call.believes(span))
    return call.spans


def mask_text(text: str, language: str) -> str:
    """A free text (a note, a line of a log) with its personal data masked; whitespace, including line breaks, is preserved."""
    tokens = tuple(Token(word, float(n), float(n + 1), 1.0) for n, word in enumerate(text.split()))
    turn = Turn("", 1, 0, "", "unknown", 0.0, 0.0, float(len(tokens)), tokens, language, 1.0, None, False, 0.0, False)
    spaces = [*re.findall(r"\s+", text.strip()), ""]
    masked = redact_turns([turn])[0][0].tokens
    return "".join(token.text + spaces[int(token.end_s) - 1] for token in masked)  # a token ends where its last word does


def _masked(turn: Turn, spans: Sequence[PersonalSpan], keep_raw: bool) -> Turn:
    tokens: list[Token] = []
    at = 0
    for span in sorted(spans, key=lambda s: s.first):
        tokens += [*turn.tokens[at : span.first], _placeholder(turn.tokens[span.first : span.last], span.kind, keep_raw)]
        at = span.last
    return replace(turn, tokens=(*tokens, *turn.tokens[at:]))


def _of_masked(reading: TurnReading, spans: Sequence[PersonalSpan]) -> TurnReading:
    """The reading of a turn in which each span became one token."""
    joined = {n for span in spans for n in range(span.first + 1, span.last)}
    return replace(reading, personal=np.delete(reading.personal, sorted(joined), axis=0))


def _placeholder(tokens: Sequence[Token], kind: str, keep_raw: bool) -> Token:
    raw = " ".join(t.raw or t.text for t in tokens) if keep_raw else None
    return Token(f"[{kind.upper()}]", tokens[0].start_s, max(t.end_s for t in tokens), min(t.probability for t in tokens), raw)


def _public_words(centre_id: str, day: date | None) -> frozenset[str]:
    """The words of a centre's company names and terms, which are not personal names."""
    from pipelines.centres.profile import load_centre

    if profile_file(centre_id) is None:
        return frozenset()
    centre = load_centre(centre_id, day)
    phrases = [p for group in (centre.company_names, centre.terms) for texts in group.values() for p in texts]
    return frozenset(w for p in phrases for w in languages.words_of(p))
