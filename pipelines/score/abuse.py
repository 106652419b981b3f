"""Abuse detection: what was said, how severe, and against whom, by a lexicon with grammar and the turn model.

A word list alone misfires on quoted insults, on look-alikes and on words directed at nobody, so each hit is interpreted in its
sentence: the addressee (ты, вы, te, you, a verb in the second person, a name between pauses), the person spoken about, and whose words
are reported.

The turn model reads the call beside the lexicon, and `combination` computes the probability of abuse from both. An operator is never
accused of words that are not in a lexicon, nor of words that the model considers harmless; the first are left to a person (`procedure`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Protocol

from models.languages.abuse_lexicon import AbuseLexicon, load_lexicon
from models.text.turn_model import SEVERITIES, TurnReading
from pipelines.core.records import Finding, Turn
from pipelines.score.combination import abuse_features, load_combination
from pipelines.score.quotes import sentence_that_does
from pipelines.score.sentences import (
    LexiconWord,
    addressed,
    beside,
    directed,
    in_sentence,
    is_about_self,
    is_called,
    is_near,
    is_reported,
    is_third_person,
    listed,
    phrase_spans,
    words_of_turn,
)
from pipelines.turns.model_reading import NOTHING_READ, ModelReading

DETECTOR = "abuse-lexicon-1"
MODEL_DETECTOR = "abuse-model-1"
NEAR_CHANGE_S, NO_PAUSE_S = 1.0, 0.1  # words this close to a change of voice without a pause may belong to the other's sentence
LEAST_CONFIDENCE = 0.55  # weaker hits are not worth a reviewer's time
# An operator's words below this recognition probability accuse nobody: they stay below the decision threshold (words that were really said:
# 0.69 and more). So do confident words among unsure ones (median of `CONTEXT_WORDS` on each side): "Crate Hotel, a con." was "Kredo Telecom.
# Goodbye!"
LEAST_PROBABILITY_TO_ACCUSE = 0.6
CONTEXT_WORDS = 2
_GROUPS: tuple[tuple[str, ...], ...] = (("ru", "uk"), ("hu",), ("en",))  # Russian and Ukrainian mix within a sentence
_MISRECOGNISED = 0.85  # factor for the confidence of a word that recognition spelled differently


class Languages(Protocol):
    """The part of a centre that this module needs."""

    @property
    def languages(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class _Hit:
    first: int  # words
    last: int
    severity: str
    target: str
    confidence: float
    weight: int  # decides between two hits of one severity


def find_abuse(turns: Sequence[Turn], centre: Languages | None = None, reading: ModelReading = NOTHING_READ) -> list[Finding]:
    """The abuse in the turns of one call, in order: at most one finding per turn and severity, the strongest.

    Args:
        turns: the turns, each in its own language; personal data may be masked.
        centre: its languages are searched as well; None for those of the turns only.
        reading: the turn model's output; without it the lexicon decides alone.

    Returns:
        Findings of kind `abuse` with severity profanity, insult or threat, target operator, company, client or other, the quoted words,
        their times in seconds and a confidence from 0 to 1.
    """
    spare = tuple(centre.languages) if centre is not None else ()
    found: list[Finding] = []
    for turn in turns:
        by_lexicon, read = abuse_in_turn(turn, spare), reading.turns.get(turn.turn_no)
        found += by_lexicon if read is None or not turn.tokens else _combined(turn, by_lexicon, read)
    return [_without_speaker(f) if f.role == "operator" and _may_be_of_the_other(f, turns) else f for f in found]


def _combined(turn: Turn, found: Sequence[Finding], read: TurnReading) -> list[Finding]:
    """The abuse of a turn with the combined probability of lexicon and model, quoting the lexicon's words where it has some."""
    lexicon = max((f.confidence for f in found), default=0.0)
    if turn.role == "operator":
        chance = load_combination().operator_abuse.chance(abuse_features(read.acts["operator_abuse"], lexicon))
        return [replace(f, confidence=round(min(f.confidence, chance), 3)) for f in found if min(f.confidence, chance) >= LEAST_CONFIDENCE]
    chance = load_combination().abuse.chance(abuse_features(1 - read.severity["none"], lexicon))
    if chance < LEAST_CONFIDENCE:
        return []
    target = max(read.target, key=lambda name: read.target[name])
    if found:
        return [replace(f, confidence=round(chance, 3), target=target) for f in found]
    severity = max(SEVERITIES[1:], key=lambda name: read.severity[name])
    first, last = sentence_that_does(turn, read.severity_logits[:, 1:].max(1))
    since_s, until_s = turn.tokens[first].start_s, turn.tokens[last - 1].end_s
    return [
        Finding(
            turn.call_id, "abuse", turn.role, turn.turn_no, since_s, until_s, turn.quote(first, last),
            severity=severity, target=target, confidence=round(chance, 3), detector=MODEL_DETECTOR,
        )
    ]  # fmt: skip


def _may_be_of_the_other(finding: Finding, turns: Sequence[Turn]) -> bool:
    """Whether the words may be the other person's: right at a change of voice without a pause, in a mono recording."""
    if len({turn.track for turn in turns}) > 1:
        return False  # one channel each: no words stray
    own = next(turn for turn in turns if turn.turn_no == finding.turn_no)
    others = [turn for turn in turns if turn.speaker != own.speaker]
    from_before = finding.start_s - own.start_s < NEAR_CHANGE_S and any(0 <= own.start_s - t.end_s < NO_PAUSE_S for t in others)
    into_next = own.end_s - finding.end_s < NEAR_CHANGE_S and any(0 <= t.start_s - own.end_s < NO_PAUSE_S for t in others)
    return from_before or into_next


def _without_speaker(finding: Finding) -> Finding:
    """The finding without a speaker: no operator is accused of words that may be the client's."""
    return replace(finding, role="unknown", target="other", confidence=min(finding.confidence, 0.5))


def abuse_in_turn(turn: Turn, other_languages: Iterable[str] = ()) -> list[Finding]:
    """The findings of one turn, one per severity; see `find_abuse`."""
    words = words_of_turn(turn)
    best: dict[str, _Hit] = {}
    for codes in _lexicons(turn.language, other_languages):
        for hit in _all_hits(words, load_lexicon(*codes), turn):
            held = best.get(hit.severity)
            if hit.confidence >= LEAST_CONFIDENCE and (held is None or (hit.weight, hit.confidence) > (held.weight, held.confidence)):
                best[hit.severity] = hit
    return [_finding(turn, words, hit) for hit in sorted(best.values(), key=lambda h: h.first)]


def _lexicons(language: str, others: Iterable[str]) -> list[tuple[str, ...]]:
    """The lexicons to search: the turn's and the centre's; all of them when the turn's language is unknown."""
    wanted = {language, *others}
    groups: list[tuple[str, ...]] = [group for group in _GROUPS if wanted & set(group)]
    return groups if any(language in group for group in groups) else [*_GROUPS]


def _finding(turn: Turn, words: Sequence[LexiconWord], hit: _Hit) -> Finding:
    first, last = words[hit.first].token, words[hit.last].token + 1
    probability = min(t.probability for t in turn.tokens[first:last])
    # a word with low recognition probability is weaker evidence
    confidence = hit.confidence * (1.0 if probability >= 0.4 else 0.85) * (0.85 if turn.role == "unknown" else 1.0)
    if turn.role == "operator":
        around = median(t.probability for t in turn.tokens[max(0, first - CONTEXT_WORDS) : last + CONTEXT_WORDS])
        if min(probability, around) < LEAST_PROBABILITY_TO_ACCUSE:
            confidence = min(confidence, LEAST_CONFIDENCE)
    return Finding(
        call_id=turn.call_id,
        kind="abuse",
        role=turn.role,
        turn_no=turn.turn_no,
        start_s=turn.tokens[first].start_s,
        end_s=turn.tokens[last - 1].end_s,
        quote=turn.quote(first, last),
        severity=hit.severity,
        target=hit.target,
        confidence=round(confidence, 3),
        detector=DETECTOR,
    )


def _all_hits(words: Sequence[LexiconWord], lexicon: AbuseLexicon, turn: Turn) -> list[_Hit]:
    """The hits of the words as written, and those of their likely corrections, which are less certain."""
    found = _hits(words, lexicon, turn)
    if turn.role == "operator":
        return found  # nobody is accused because of a possible recognition error
    meant, spans = _as_meant(words, lexicon, turn.language)
    for hit in _hits(meant, lexicon, turn) if spans else []:
        if hit.first in spans and hit.first == hit.last:
            found.append(replace(hit, last=spans[hit.first], confidence=hit.confidence * _MISRECOGNISED))
    return found


def _as_meant(words: Sequence[LexiconWord], lexicon: AbuseLexicon, language: str) -> tuple[list[LexiconWord], dict[int, int]]:
    """The words with misrecognised insults corrected, and their positions: first → last word of each."""
    meant: list[LexiconWord] = list(words)
    spans: dict[int, int] = {}
    for i, word in enumerate(words):
        if (i - 1 in spans and spans[i - 1] == i) or lexicon.has("insults", word.text):
            continue  # joined with the word before, or an insult as it is
        if better := lexicon.as_meant(word.text, language):
            meant[i], spans[i] = replace(word, text=better), i
        elif i + 1 < len(words) and not word.pause_after and (better := lexicon.as_joined(word.text, words[i + 1].text, language)):
            after = words[i + 1].pause_after
            meant[i], spans[i] = replace(word, text=better, pause_after=after), i + 1
            meant[i + 1] = replace(words[i + 1], text="", pause_before=after)
    return meant, spans


def _hits(words: Sequence[LexiconWord], lexicon: AbuseLexicon, turn: Turn) -> list[_Hit]:
    by_operator = turn.role == "operator"
    harmless = {i for first, last in phrase_spans(words, lexicon, "phrases_harmless") for i in range(first, last + 1)}
    found: list[_Hit] = []
    for name, severity, confidence, weight in (
        ("threats", "threat", 0.85, 5),
        ("phrases_profanity", "profanity", 0.9, 4),
        ("phrases_insult", "insult", 0.8, 3),
        ("dismissals", "insult", 0.75, 1),
    ):
        for first, last in phrase_spans(words, lexicon, name):
            if not harmless.issuperset(range(first, last + 1)) and not is_reported(words, first, lexicon):
                found.append(_Hit(first, last, severity, _target(words, last, lexicon, by_operator, "operator"), confidence, weight))
    for i, word in enumerate(words):
        if i not in harmless and not lexicon.has("harmless", word.text) and (hit := _word_hit(words, i, lexicon, by_operator)):
            found.append(hit)
    return found


def _word_hit(words: Sequence[LexiconWord], i: int, lexicon: AbuseLexicon, by_operator: bool) -> _Hit | None:
    text = words[i].text
    if is_reported(words, i, lexicon):
        return None
    is_masked = lexicon.masked.fullmatch(text) is not None
    called, near = is_called(words, i), is_near(words, i, lexicon, "you_nominative")
    at_you = addressed(words, i, lexicon)
    if is_masked or lexicon.has("obscene", text):
        target = _target(words, i, lexicon, by_operator, "other")
        return _Hit(i, i, "profanity", target, 0.92 if at_you and not is_masked else 0.8, 3)
    if lexicon.has("insults", text):
        return _insult(words, i, lexicon, by_operator, at_you, called)
    if is_about_self(words, i, lexicon):
        return None
    if lexicon.has("insults_addressed", text) and (
        near or beside(words, i, lexicon, "insults_adjectives") or (called and not listed(words, i))
    ):
        return _Hit(i, i, "insult", _target(words, i, lexicon, by_operator, "operator"), 0.85 if near else 0.72, 2)
    if lexicon.has("company_insults", text) and (called or (at_you and not is_near(words, i, lexicon, "they"))):
        return _Hit(i, i, "insult", "client" if by_operator else "company", 0.75, 2)
    if lexicon.has("insults_adjectives", text) and near:
        return _Hit(i, i, "insult", _target(words, i, lexicon, by_operator, "operator"), 0.75, 1)
    if lexicon.has("obscene_mild", text) and directed(words, i, lexicon) and not by_operator:
        return _Hit(i, i, "profanity", _target(words, i, lexicon, by_operator, "operator"), 0.7, 1)
    return None


def _insult(words: Sequence[LexiconWord], i: int, lexicon: AbuseLexicon, by_operator: bool, at_you: bool, called: bool) -> _Hit | None:
    if is_third_person(words, i, lexicon) or (not called and is_near(words, i, lexicon, "they", before_only=True)):
        return None if by_operator else _Hit(i, i, "insult", "other", 0.6, 1)
    if is_about_self(words, i, lexicon):
        return None
    size = sum(w.sentence == words[i].sentence for w in words)
    if at_you or called or size <= 3:
        confidence = 0.9 if at_you else 0.82 if called else 0.7
        return _Hit(i, i, "insult", _target(words, i, lexicon, by_operator, "operator"), confidence, 3)
    return None


def _target(words: Sequence[LexiconWord], i: int, lexicon: AbuseLexicon, by_operator: bool, otherwise: str) -> str:
    one, many = in_sentence(words, i, lexicon, "you_one"), in_sentence(words, i, lexicon, "you_many")
    verb = in_sentence(words, i, lexicon, "you_any")
    if by_operator:
        return "client" if one or many or verb or otherwise == "operator" else "other"
    if one:
        return "operator"
    if many:
        return "company" if in_sentence(words, i, lexicon, "everyone") or in_sentence(words, i, lexicon, "company_insults") else "operator"
    if verb:
        return "operator"
    return "other" if is_near(words, i, lexicon, "they", before_only=True) else otherwise
