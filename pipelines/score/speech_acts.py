"""Speech acts of the operator (greets, identifies, warns, says goodbye), by phrases over lemmas and the turn model.

Phrases match foreseen wordings, and the names of a centre. The turn model recognises the same acts in other words. Neither decides
alone: `combination` computes one probability from both and the position in the call, and the sentence that contributes most becomes the
quote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from models.languages.language import LANGUAGES, find_phrase, is_first_name, load, words_of
from models.text.turn_model import ACTS, TurnReading
from pipelines.centres.profile import Centre
from pipelines.core.records import Token, Turn
from pipelines.score.combination import CallPosition, load_combination
from pipelines.score.phonetic_similarity import SAME, company_similarity, is_another
from pipelines.score.quotes import sentence_that_does
from pipelines.turns.model_reading import NOTHING_READ, ModelReading

SURE = 0.78  # an act with a lower confidence is doubtful
OPENING_TURNS = 2  # the operator's turns that are searched for a greeting
_SPEAKS = {
    "оператор", "специалист", "консультант", "менеджер", "дежурный", "фахівець", "спеціаліст", "черговий", "operator", "я", "это", "це",
}  # fmt: skip
_AFTER_NAME = {
    "слушать", "слухати", "линия", "лінія", "vagyok", "speaking", "here", "телефон", "апарат", "вітати", "беспокоить", "турбувати",
}  # fmt: skip
_NOT_NAMES = {"алло", "ало", "альо", "алло-алло", "рада", "рад"}  # forms of names, and what operators say
_SCORE, _BLAMING_SCORE = 85.0, 96.0
_BLAMING = ("forbidden", "discloses")  # nobody is blamed for a misrecognised word
# a question does these only partly
_QUESTION_HALVES = frozenset({"solution", "self_service", "redirect", "discloses", "end_notice", "night_notice"})
_CAN = frozenset({"можете", "можна", "можно", "could", "can", "would", "зможете", "сможете", "удобно", "зручно", "знаете", "знаєте"})
_OVER_A_STOP = 0.75  # a phrase that crosses a full stop is often two things
_WARNINGS = ("warn_abuse", "end_notice")
_COMPANY_FROM, _COMPANY_MORE = 0.68, 0.1  # minimum similarity to the company's name, and what is added to it for the confidence
CLOSING_TURNS = 2  # the operator's last turns, in which a call is ended
LEAST_SEEN = 0.03  # a less likely act is ignored


@dataclass(frozen=True, slots=True)
class Act:
    """One speech act: tokens first..last-1 of a turn, with its confidence (0 to 1)."""

    act: str
    turn_no: int
    first: int
    last: int
    confidence: float


@dataclass(frozen=True, slots=True)
class TurnWords:
    """The words of one turn, prepared for phrase matching."""

    words: tuple[str, ...]
    token_of: tuple[int, ...]  # word → its token
    sentence_of: tuple[int, ...]
    questions: frozenset[int]  # sentences that end with a question mark


def read_turn(tokens: Sequence[Token]) -> TurnWords:
    """The words of a turn with their tokens and sentences."""
    words: list[str] = []
    token_of: list[int] = []
    sentence_of: list[int] = []
    questions: set[int] = set()
    sentence = 0
    for n, token in enumerate(tokens):
        for word in words_of(token.text):
            words.append(word)
            token_of.append(n)
            sentence_of.append(sentence)
        ending = token.text.rstrip("\"'»)…")[-1:]
        if ending in ("?", "!", ".") or token.text.endswith("…"):
            if ending == "?":
                questions.add(sentence)
            sentence += 1
    return TurnWords(tuple(words), tuple(token_of), tuple(sentence_of), frozenset(questions))


def find_acts(turns: Sequence[Turn], centre: Centre, reading: ModelReading = NOTHING_READ) -> list[Act]:
    """Every speech act of the operator (and of speakers whose role is unknown), in order of turns.

    Args:
        turns: the turns of one call.
        centre: its company names, and the languages whose phrases are searched.
        reading: the turn model's output; without it phrases decide alone.
    """
    spoken = [turn for turn in turns if turn.role != "client" and turn.tokens]
    found: list[Act] = []
    for n, turn in enumerate(spoken):
        place = CallPosition(is_opening=n < OPENING_TURNS, is_closing=n >= len(spoken) - CLOSING_TURNS)
        spans = phrases_of(turn, centre, place.is_opening)
        read = reading.turns.get(turn.turn_no)
        found += _by_phrases_alone(turn, spans) if read is None else _combined(turn, spans, read, place)
    return found


def phrases_of(turn: Turn, centre: Centre, is_opening: bool) -> list[Span]:
    """The acts of a turn by the phrases of its languages and the names of the centre."""
    said = read_turn(turn.tokens)
    spans = _by_phrases(said, {code: load(code).acts for code in spoken_languages(turn, centre)})
    spans += _company(said, centre, is_opening)
    if is_opening:
        spans += _own_name(said, turn)
    return spans


def _by_phrases_alone(turn: Turn, spans: Sequence[Span]) -> list[Act]:
    return [Act(name, turn.turn_no, first, last, confidence) for name, first, last, confidence in _clean(spans)]


def _combined(turn: Turn, spans: Sequence[Span], read: TurnReading, place: CallPosition) -> list[Act]:
    """Each act once per turn, with the combined probability of model, phrases and position, and its sentence."""
    found: list[Act] = []
    combination = load_combination()
    for column, act in enumerate(ACTS):
        own = [span for span in spans if span[0] == act]
        chance = combination.act(act, read.acts[act], max((span[3] for span in own), default=0.0), place)
        if chance >= LEAST_SEEN:
            first, last = sentence_that_does(turn, read.act_logits[:, column], [span[1:3] for span in own])
            found.append(Act(act, turn.turn_no, first, last, round(chance, 3)))
    return found


def find_own_phrases(turns: Iterable[Turn], phrases: Mapping[str, Sequence[str]]) -> list[Act]:
    """Matches of a criterion's own phrases in the operator's turns."""
    found: list[Act] = []
    for turn in turns:
        said = read_turn(turn.tokens)
        for first, last, score in _spans(said, phrases):
            found.append(Act("own_phrase", turn.turn_no, said.token_of[first], said.token_of[last - 1] + 1, score))
    return found


def spoken_languages(turn: Turn, centre: Centre) -> tuple[str, ...]:
    """The languages whose phrases are searched in a turn: its own and the centre's."""
    return tuple(dict.fromkeys(code for code in (turn.language, *centre.languages) if code in LANGUAGES))


Span = tuple[str, int, int, float]  # act, first token, last token + 1, confidence


def _by_phrases(said: TurnWords, acts: Mapping[str, Mapping[str, Sequence[str]]]) -> list[Span]:
    spans: list[Span] = []
    for name in sorted({name for by_act in acts.values() for name in by_act}):
        phrases = {code: by_act[name] for code, by_act in acts.items() if name in by_act}
        for first, last, score in _spans(said, phrases, _BLAMING_SCORE if name in _BLAMING else _SCORE):
            sentence = said.sentence_of[last - 1]
            if name in _QUESTION_HALVES and sentence in said.questions and not _CAN & set(_sentence(said, sentence)):
                score *= 0.6
            spans.append((name, said.token_of[first], said.token_of[last - 1] + 1, round(score, 3)))
    return spans


def _spans(said: TurnWords, phrases: Mapping[str, Sequence[str]], least: float = _SCORE) -> list[tuple[int, int, float]]:
    """The best spans of words that match any phrase, none overlapping a better one."""
    hits = [
        (first, last, score if said.sentence_of[first] == said.sentence_of[last - 1] else score * _OVER_A_STOP)
        for code, texts in phrases.items()
        for text in texts
        for first, last, score in find_phrase(said.words, text, code, least)
    ]
    kept: list[tuple[int, int, float]] = []
    for first, last, score in sorted(hits, key=lambda h: (-h[2], h[0] - h[1], h[0])):
        if all(last <= f or first >= to for f, to, _ in kept):
            kept.append((first, last, score))
    return sorted(kept)


def _sentence(said: TurnWords, sentence: int) -> list[str]:
    return [w for w, s in zip(said.words, said.sentence_of, strict=True) if s == sentence]


def _company(said: TurnWords, centre: Centre, is_opening: bool) -> list[Span]:
    names = [n for of_language in centre.company_names.values() for n in of_language[:1]]
    hits = [
        (first, last, score)
        for first, last, score in _spans(said, centre.company_names)
        if not any(is_another("".join(said.words[first:last]), name, SAME) for name in names)
    ]
    if not hits and is_opening:
        hits = _nearly(said.words, names)
    return [("company", said.token_of[first], said.token_of[last - 1] + 1, score) for first, last, score in hits]


def _nearly(words: Sequence[str], names: Iterable[str]) -> list[tuple[int, int, float]]:
    """A long company name that recognition split into other words, found by phonetic similarity."""
    best = company_similarity(words, names)
    if best is None or best[2] < _COMPANY_FROM:
        return []
    return [(best[0], best[1], round(min(0.95, best[2] + _COMPANY_MORE), 3))]


def _own_name(said: TurnWords, turn: Turn) -> list[Span]:
    """A given name in the greeting, or the placeholder that masks it."""
    from models.languages.language import lemma

    code = turn.language if turn.language in LANGUAGES else "ru"
    for n, word in enumerate(said.words):
        token = turn.tokens[said.token_of[n]].text
        before = said.words[n - 1] if n else ""
        after = said.words[n + 1] if n + 1 < len(said.words) else ""
        introduced = before in _SPEAKS or before in ("is", "i'm", "am") or (bool(after) and lemma(after, code) in _AFTER_NAME)
        if word == "[NAME]":
            return [("self_name", said.token_of[n], said.token_of[n] + 1, 0.95)]
        if word in _NOT_NAMES or not is_first_name(word, code):
            if before in ("оператор", "фахівець") and token[:1].isupper() and len(word) >= 3:
                return [("self_name", said.token_of[n - 1], said.token_of[n] + 1, 0.8)]
            continue
        stands_alone = token[-1:] in ",.!?;" or not after
        starts = n == 0 or said.sentence_of[n - 1] != said.sentence_of[n]
        is_capital = token[:1].isupper()
        if introduced or (is_capital and (not starts or stands_alone)):
            return [("self_name", said.token_of[n], said.token_of[n] + 1, 0.93 if is_capital else 0.8)]
        if stands_alone:
            return [("self_name", said.token_of[n], said.token_of[n] + 1, 0.65)]
    return []


def _clean(spans: Sequence[Span]) -> list[Span]:
    """Spans without the acts that another act implies: a warning is never a forbidden word."""
    warned = [(first, last) for name, first, last, score in spans if name in _WARNINGS and score >= 0.6]
    out = []
    for name, first, last, score in sorted(spans, key=lambda s: (s[1], s[2], s[0])):
        if name == "forbidden" and warned and (score < SURE or any(first < to and last > since for since, to in warned)):
            continue
        out.append((name, first, last, score))
    return out
