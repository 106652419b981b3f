"""Sentence context of a word: who is addressed, spoken about or quoted, judged from its neighbours."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.languages.abuse_lexicon import AbuseLexicon, normalise
from pipelines.core.records import Turn

_PAUSE = re.compile(r"[,;:—–-]$")
_STOP = re.compile(r"[.!?…]$")
_YOU = ("you_one", "you_many", "you_any")
_NEAR = 3  # words between an address and the word that it applies to


@dataclass(frozen=True, slots=True)
class LexiconWord:
    """A normalised word with its token, its sentence, and the pauses around it."""

    text: str
    token: int
    sentence: int
    pause_before: bool
    pause_after: bool


def words_of_turn(turn: Turn) -> list[LexiconWord]:
    """The words of a turn in order, without masks."""
    found: list[LexiconWord] = []
    sentence, pause = 0, True
    for number, token in enumerate(turn.tokens):
        pieces = token.text.split() or [""]
        for piece in pieces:
            stop, rest = bool(_STOP.search(piece)), bool(_PAUSE.search(piece))
            text = "" if piece.startswith("[") else normalise(piece)
            if text:
                found.append(LexiconWord(text, number, sentence, pause, stop or rest))
            elif found and not found[-1].pause_after:
                found[-1] = replace(found[-1], pause_after=True)
            pause = stop or rest or not text
            sentence += stop
    if found:
        found[-1] = replace(found[-1], pause_after=True)
    return found


def is_third_person(words: Sequence[LexiconWord], i: int, lexicon: AbuseLexicon) -> bool:
    """Whether it is about an absent person: "what a scoundrel", with the word for "what a" behind it in Slavic speech, and no "you"."""
    follows = i + 1 < len(words) and words[i + 1].sentence == words[i].sentence and lexicon.has("what_a", words[i + 1].text)
    # recognition writes commas for stops: "вот гад какой, прямо из рук вытащил, спасибо вам" thanks another person
    return follows and not any(lexicon.has(name, words[k].text) for k in _clause(words, i) if k != i for name in _YOU)


def _clause(words: Sequence[LexiconWord], i: int) -> range:
    """The words around one, from pause to pause."""
    first = last = i
    while first > 0 and not words[first].pause_before and words[first - 1].sentence == words[i].sentence:
        first -= 1
    while last + 1 < len(words) and not words[last].pause_after and words[last + 1].sentence == words[i].sentence:
        last += 1
    return range(first, last + 1)


def in_sentence(words: Sequence[LexiconWord], i: int, lexicon: AbuseLexicon, name: str) -> bool:
    """Whether another word of the sentence is in a list of the lexicon."""
    return any(w.sentence == words[i].sentence and k != i and lexicon.has(name, w.text) for k, w in enumerate(words))


def addressed(words: Sequence[LexiconWord], i: int, lexicon: AbuseLexicon) -> bool:
    """Whether the sentence addresses somebody."""
    return any(in_sentence(words, i, lexicon, name) for name in _YOU)


def directed(words: Sequence[LexiconWord], i: int, lexicon: AbuseLexicon) -> bool:
    """Whether it is said to somebody, not only in their presence: вы, ты, a verb in the second person, or вам without a preposition."""
    if any(in_sentence(words, i, lexicon, name) for name in ("you_nominative", "you_any")):
        return True
    near = [k for k in range(max(0, i - 4), min(len(words), i + 5)) if words[k].sentence == words[i].sentence]
    return any(
        lexicon.has("you_dative", words[k].text) and not (k and len(words[k - 1].text) <= 2 and words[k - 1].text in ("к", "у", "по", "о"))
        for k in near
    )


def is_near(words: Sequence[LexiconWord], i: int, lexicon: AbuseLexicon, name: str, before_only: bool = False) -> bool:
    """Whether a word of a list is within reach in the same sentence, with or without a pause between."""
    last = i if before_only else min(len(words), i + _NEAR + 1)
    return any(
        words[k].sentence == words[i].sentence and k != i and lexicon.has(name, words[k].text) for k in range(max(0, i - _NEAR), last)
    )


def beside(words: Sequence[LexiconWord], i: int, lexicon: AbuseLexicon, name: str) -> bool:
    """Whether the previous or next word of the sentence is in a list of the lexicon."""
    return any(0 <= k < len(words) and words[k].sentence == words[i].sentence and lexicon.has(name, words[k].text) for k in (i - 1, i + 1))


def is_called(words: Sequence[LexiconWord], i: int) -> bool:
    """Whether the word, with at most one other word, stands between pauses, like a vocative."""
    if words[i].pause_before and words[i].pause_after:
        return True
    if words[i].pause_before and i + 1 < len(words) and words[i + 1].pause_after:
        return True
    return words[i].pause_after and i > 0 and words[i - 1].pause_before


def listed(words: Sequence[LexiconWord], i: int) -> bool:
    """Whether the word is one of an enumeration: bread, chicken, milk."""
    alone = [
        words[k].pause_before and words[k].pause_after
        for k in (i - 1, i + 1)
        if 0 <= k < len(words) and words[k].sentence == words[i].sentence
    ]
    return bool(alone) and all(alone)


def is_reported(words: Sequence[LexiconWord], i: int, lexicon: AbuseLexicon) -> bool:
    """Whether it is reported speech: he called me a fool."""
    before = [k for k in range(max(0, i - 6), i) if words[k].sentence == words[i].sentence]
    reporting = [k for k in before if lexicon.has("reporting", words[k].text)]
    # what did you say, idiot: then the speaker is the one who insults
    if any(not any(lexicon.has("you_nominative", words[j].text) for j in (k - 2, k - 1) if j >= 0) for k in reporting):
        return True
    around = range(words[i].sentence - 1, words[i].sentence + 2)
    return any(w.sentence in around and lexicon.has("quoting", w.text) for w in words)


def is_about_self(words: Sequence[LexiconWord], i: int, lexicon: AbuseLexicon) -> bool:
    """Whether the speakers refer to themselves."""
    near = [k for k in range(max(0, i - 3), min(len(words), i + 2)) if k != i and words[k].sentence == words[i].sentence]
    return (
        any(lexicon.has("self", words[k].text) for k in near)
        and not any(lexicon.has(name, words[k].text) for k in near for name in ("you_nominative", "you_one"))
        and not (words[i].pause_before and words[i].pause_after)
    )


def phrase_spans(words: Sequence[LexiconWord], lexicon: AbuseLexicon, name: str) -> list[tuple[int, int]]:
    """Spans of word indices that match a phrase of a list; phrases do not cross the end of a sentence."""
    line, starts = "", []
    for word in words:
        starts.append(len(line))
        line += word.text + " "
        if word.pause_after:
            following = [w for w in words if w.sentence == word.sentence]
            line += ". " if following and following[-1] is word else ", "
    spans = []
    for match in lexicon.phrases[name].finditer(line):
        inside = [k for k, at in enumerate(starts) if match.start() <= at < match.end()]
        if inside:
            spans.append((inside[0], inside[-1]))
    return spans
