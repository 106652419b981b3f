"""What the engine invents: words that nobody said.

Whisper learned from subtitles: over noise it gives credits and thanks for watching, a sound that it cannot make out it may turn into the same
words over and over, and a tone or a click into a word that it hardly believes itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean

from pipelines.core.records import Word

LEAST_BELIEF = 0.25  # real speech in the development calls is believed 0.27 at least, Hungarian that is hardly understood included
LOOP_WORDS, LOOP_TIMES = 6, 4  # a loop: up to 6 words, said 4 times in a row
# What Whisper learned from subtitles and says over noise; nobody says it on the telephone.
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
    """Take out what nobody said: all of a doubtful chunk, subtitle credits, loops, and pieces of speech [start, end) with no believed word.

    Returns the words kept, and each stretch taken out with the reason: silence, credits, loop or unsure.
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
    """The words of those pieces of speech in which the engine believes little; a word said again does not count, a repeat makes it sure."""
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
    """Stretches [first, last) that say again what was just said; the first two times of a loop are kept.

    One word may be said four times in a row before it is a loop (digits, "yes yes yes").
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
