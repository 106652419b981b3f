"""Removes hallucinations of the recogniser: words that nobody said.

Whisper was trained on subtitles: over noise it outputs credits and thanks for watching, for unintelligible sound it may repeat the same
words over and over, and for a tone or a click it may output a word with very low confidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean

from pipelines.core.records import Word

LEAST_BELIEF = 0.25  # real speech in the development calls has a confidence of at least 0.27, including Hungarian that is hardly recognised
LOOP_WORDS, LOOP_TIMES = 6, 4  # a loop: up to 6 words, said 4 times in a row
# Phrases that Whisper learned from subtitles and outputs over noise; nobody says them on the telephone.
CREDITS = re.compile(
    r"(субтитр\w* (сделал|делал|создавал|подготовил|подогнал|предоставил)\w* ?)?dimatorzok|amara\.? ?org|"
    r"субтитр\w* (сделал|делал|создавал|подготовил|подогнал|предоставил)\w*( \w+)?|"
    r"редактор\w* субтитров( ?[а-я]\.? ?)*(\w+)?( ?корректор( ?[а-я]\.? ?)*\w*)?|"
    r"продолжение следует(?! ?\w)|(спасибо|дякую|дякуємо) за (просмотр|перегляд)|"
    r"(подписывайтесь|підписуйтесь|підписуйтеся) на (канал|мой|наш)\w*|"
    r"thank(s| you) for watching|subtitles by( \w+)?|(magyar )?felirat(ok)? ?:( \w+)?|a feliratot készítette( \w+)?",
    re.IGNORECASE,
)


def keep_said(
    words: Sequence[Word], is_doubtful: bool = False, pieces: Sequence[tuple[float, float]] = ()
) -> tuple[list[Word], list[tuple[Sequence[Word], str]]]:
    """Remove hallucinated words: doubtful chunks, subtitle credits, loops, and pieces of speech [start, end) without a confident word.

    Returns the remaining words, and each removed stretch with the reason: silence, credits, loop or unsure.
    """
    if is_doubtful and words:
        return [], [(words, "silence")]
    bad: dict[int, str] = {}
    text, starts = "", []
    for word in words:
        starts.append(len(text))
        text += word.text + " "
    for match in CREDITS.finditer(text):
        bad.update({i: "credits" for i, s in enumerate(starts) if s < match.end() and s + len(words[i].text) > match.start()})
    plain = [re.sub(r"\W", "", word.text.lower()) for word in words]
    for first, last in loops(plain):
        bad.update({i: "loop" for i in range(first, last) if i not in bad})
    bad.update({i: "unsure" for i in unbelieved(words, pieces) if i not in bad})
    stretches: list[tuple[Sequence[Word], str]] = []
    i = 0
    while i < len(words):
        j = i
        while j < len(words) and bad.get(j) == bad.get(i):
            j += 1
        if i in bad:
            stretches.append((words[i:j], bad[i]))
        i = j
    return [word for i, word in enumerate(words) if i not in bad], stretches


def unbelieved(words: Sequence[Word], pieces: Sequence[tuple[float, float]]) -> list[int]:
    """The words of the pieces of speech with low confidence; a repeated word is ignored, as repetition raises its confidence."""
    inside: dict[int, list[int]] = {}
    for i, word in enumerate(words):
        middle = (word.start_s + word.end_s) / 2
        if pieces:
            nearest = min(range(len(pieces)), key=lambda p: max(pieces[p][0] - middle, middle - pieces[p][1]))
            inside.setdefault(nearest, []).append(i)
    bad: list[int] = []
    for numbers in inside.values():
        belief: dict[str, float] = {}
        for i in numbers:
            belief.setdefault(re.sub(r"\W", "", words[i].text.lower()), words[i].probability)
        if fmean(belief.values()) < LEAST_BELIEF:
            bad += numbers
    return bad


def loops(words: Sequence[str]) -> list[tuple[int, int]]:
    """Stretches [first, last) that repeat what was just said; the first two repetitions of a loop are not included.

    A single word may occur four times in a row before it is a loop (digits, "yes yes yes").
    """
    found = []
    i = 0
    while i < len(words):
        for n in range(1, LOOP_WORDS + 1):
            times = 1
            while words[i + times * n : i + (times + 1) * n] == words[i : i + n] and i + (times + 1) * n <= len(words):
                times += 1
            if times >= LOOP_TIMES + (2 if n == 1 else 0):
                found.append((i + 2 * n, i + times * n))
                i += times * n - 1
                break
        i += 1
    return found
