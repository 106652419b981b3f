"""What recognition may have swallowed: how likely words that were not found were said all the same, in a stretch of the call.

A name, a company or a goodbye is short, and where it was lost something is left of it: a doubtful word that resembles it, a lone word in the
place of a name, or speech that no word covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from statistics import median

import yaml
from rapidfuzz import fuzz, process

from models.language import FOLDER, LANGUAGES, is_first_name, languages_of_script, load, parses, words_of
from models.phrases import LOADER
from pipelines.records import Interval, Token, Turn
from pipelines.score.acts import SURE, Act, spoken_languages
from pipelines.score.likeness import LEAST_LETTERS, company_likeness, is_another, likeness
from pipelines.score.scorecard import Centre, Criterion

_DOUBTED_WORD = 0.7  # recognition probability under which a word may be another
_LETTERS = 4  # shorter words resemble everything
_ALIKE_FROM, _ALIKE_TO = 0.6, 0.9  # from nothing to certainty
_UNHEARD_FROM_S, _UNHEARD_TO_S = 0.6, 1.2  # speech without words; recognition ends a word up to half a second early
_SLOW_FROM, _SLOW_TO = 0.8, 0.65  # letters a second beside the same person's other turns: from nothing to certainty that words are missing
_PACE_S, _PACE_TURNS = 1.5, 2  # seconds of speech, and other turns, that tell how fast somebody speaks
_NAME_SLOT_WORDS = 2  # a name stands alone between commas, or with a word joined to it
_TITLES = (
    "оператор", "специалист", "консультант", "менеджер", "дежурный", "диспетчер", "фахівець", "спеціаліст", "черговий", "operator",
    "specialist", "manager", "operátor", "munkatárs",
)  # fmt: skip
_HOLDS_ANYTHING = ("clarify", "solution")
_JOINED = ("я", "це", "это")  # short words that recognition joins with a name
_NOT_NAMES = {"алло", "ало", "альо", "рада", "рад"}
_GLUED_LETTERS = 3
_GLUED, _ALONE, _MISHEARD = 0.85, 0.8, 0.75  # how sure a name is that was found so
_MISHEARD_FROM = 0.8  # likeness to a first name from which a lone word is one
_GLUED_HIDES = 0.7
_COMPANY_ALIKE = (0.4, 0.7)  # likeness by letters: from nothing to certainty that words hide a short name
_SOUNDS_SAY_LESS = 0.1  # sounds of a short name resemble more than its letters do
_COMPANY_SOUNDS = (0.5, 0.7)  # the same for the sounds of a long one
_NAME_ALIKE = (0.42, 0.72)  # likeness to a first name: from nothing to certainty that a lone word hides one


def chance_hidden(
    criterion: Criterion,
    centre: Centre,
    turns: Sequence[Turn],
    acts: Iterable[Act],
    speech: Sequence[Interval],
    spoken: Sequence[tuple[float, float]],
    span: tuple[float, float],
    all_turns: Sequence[Turn] = (),
) -> float:
    """The chance (0 to 1) that what a criterion looks for was said in these turns of the operator but not recognised.

    Args:
        criterion: what was looked for.
        centre: whose names and languages count.
        turns: where it was looked for.
        acts: what the operator did, which explains his words.
        speech: where somebody speaks, as the sound says.
        spoken: when each word of the call was said.
        span: the stretch [start_s, end_s) that was searched.
        all_turns: the whole call, which shows how fast its operator speaks.
    """
    explained = _explained(acts)
    unheard_s = max((uncovered(i.start_s, i.end_s, spoken) for i in speech if i.end_s > span[0] and i.start_s < span[1]), default=0.0)
    hidden = 0.0
    if criterion.where == "opening":
        slow = min((_pace(turn, speech, all_turns) for turn in turns), default=1.0)
        hidden = max(_rise(unheard_s, _UNHEARD_FROM_S, _UNHEARD_TO_S), _rise(1 - slow, 1 - _SLOW_FROM, 1 - _SLOW_TO))
    if "self_name" in criterion.acts:
        return max(hidden, *(_like_a_name(turn, explained) for turn in turns[:1]), 0.0)
    if "company" in criterion.acts:
        return max(hidden, *(_like_the_company(turn, centre) for turn in turns), 0.0)
    wanted = sorted({w for turn in turns for w in _wanted(criterion, spoken_languages(turn, centre))})
    alike = max((_alike(word, wanted) for turn in turns for word in _doubtful(turn, explained)), default=0.0)
    return max(hidden, _rise(alike, _ALIKE_FROM, _ALIKE_TO))


def _pace(turn: Turn, speech: Sequence[Interval], all_turns: Iterable[Turn]) -> float:
    """How many letters a second of speech were heard in a turn, beside the same person's others; far under 1 where words were swallowed."""
    others = [_letters_per_s(t, speech) for t in all_turns if t.role == turn.role != "client" and t.turn_no != turn.turn_no]
    known = [pace for pace in others if pace is not None]
    own = _letters_per_s(turn, speech)
    return own / median(known) if own is not None and len(known) >= _PACE_TURNS else 1.0


def _letters_per_s(turn: Turn, speech: Iterable[Interval]) -> float | None:
    """Letters heard a second of speech; None of a turn that is too short to say, or in which somebody speaks over the other."""
    spoken_s = sum(max(0.0, min(i.end_s, turn.end_s) - max(i.start_s, turn.start_s)) for i in speech if i.track == turn.track)
    if spoken_s < _PACE_S or turn.overlap_s:
        return None
    return sum(len(word) for word in words_of(turn.text)) / spoken_s


def heard_names(turn: Turn, acts: Iterable[Act]) -> list[Act]:
    """Names in a greeting that no grammar tells: alone between commas, glued to a title ("операторолег"), or misheard by a letter."""
    explained = _explained(acts)
    names = _given_names(turn.language if turn.language in LANGUAGES else "ru")
    found: list[Act] = []
    for n, token in enumerate(turn.tokens):
        if any(_is_name(rest) for rest in (*_after_title(token), *_after_short(token))):
            found.append(Act("self_name", turn.turn_no, n, n + 1, _GLUED))
    glued = {act.first for act in found}
    for n, word in (one for slot in _slots(turn, explained) for one in slot if one[0] not in glued):
        if _is_name(word):
            found.append(Act("self_name", turn.turn_no, n, n + 1, _ALONE))
        elif _alike(word, names) >= _MISHEARD_FROM:
            found.append(Act("self_name", turn.turn_no, n, n + 1, _MISHEARD))
    return found


def uncovered(start_s: float, end_s: float, spoken: Iterable[tuple[float, float]]) -> float:
    """The longest stretch of an interval that no word covers."""
    at, longest = start_s, 0.0
    for since, until in sorted(spoken):
        if until > at and since < end_s:
            longest = max(longest, since - at)
            at = max(at, until)
    return max(longest, end_s - at)


def _explained(acts: Iterable[Act]) -> set[tuple[int, int]]:
    """The words (turn, token) that an act accounts for; a question or an answer may hold anything."""
    return {(a.turn_no, n) for a in acts if a.confidence >= SURE and a.act not in _HOLDS_ANYTHING for n in range(a.first, a.last)}


def _after_title(token: Token) -> Iterator[str]:
    """What is glued to a title in a word: "олег" of "операторолег"."""
    for word in words_of(token.text):
        for title in _TITLES:
            if word.startswith(title) and len(word) >= len(title) + _GLUED_LETTERS and not _is_inflected(word):
                yield word.removeprefix(title)


def _after_short(token: Token) -> Iterator[str]:
    """What is glued to a short word: "софія" of "ясофія"."""
    for word in words_of(token.text):
        for short in _JOINED:
            if word.startswith(short) and len(word) >= len(short) + _LETTERS and not _is_inflected(word):
                yield word.removeprefix(short)


def _is_inflected(word: str) -> bool:
    """Whether a dictionary knows the whole word: "операторами", "специалистом"."""
    return any(parse.is_known for code in ("ru", "uk") for parse in parses(word, code))


def _is_name(word: str) -> bool:
    return len(word) >= _GLUED_LETTERS and word not in _NOT_NAMES and any(is_first_name(word, code) for code in languages_of_script(word))


def _like_a_name(turn: Turn, explained: set[tuple[int, int]]) -> float:
    """How likely a name hides in a greeting: letters glued to a title, or a lone word that nothing explains and that resembles a first name."""
    names = _given_names(turn.language if turn.language in LANGUAGES else "ru")
    glued = any(True for token in turn.tokens for _ in _after_title(token))
    alike = max((_alike(word, names) for slot in _slots(turn, explained) for _, word in slot), default=0.0)
    return max(_GLUED_HIDES if glued else 0.0, _rise(alike, *_NAME_ALIKE))


@cache
def _given_names(code: str) -> tuple[str, ...]:
    common = yaml.load((FOLDER / "names.yaml").read_text(encoding="utf-8"), LOADER)
    return tuple(sorted(load(code).first_names | {w for name in common.get(code, ()) for w in words_of(name)}))


def _slots(turn: Turn, explained: set[tuple[int, int]]) -> Iterator[list[tuple[int, str]]]:
    """The words of each stretch between stops that holds one or two words, none of which does anything."""
    stretch: list[tuple[int, str]] = []
    for n, token in enumerate(turn.tokens):
        stretch += [(n, word) for word in words_of(token.text)]
        if token.text[-1:] in ",.!?;" or n + 1 == len(turn.tokens):
            if len(stretch) <= _NAME_SLOT_WORDS and not any((turn.turn_no, k) in explained for k, _ in stretch):
                yield [(k, word) for k, word in stretch if len(word) >= _LETTERS]
            stretch = []


def _like_the_company(turn: Turn, centre: Centre) -> float:
    """How likely some words hide the company's name: as a whole by its sounds, or its first two words, or a short name, by their letters."""
    words, names = words_of(turn.text), [name for names in centre.company_names.values() for name in names[:1]]
    found = company_likeness(words, names)
    hidden = _rise(found[2], *_COMPANY_SOUNDS) if found else 0.0
    shorter = {"".join(name.split()[:2]).lower().replace("-", "") for name in names}
    best = 0.0
    for name in (one for one in shorter if _LETTERS <= len(one) < LEAST_LETTERS or one not in _whole(names)):
        for first in range(len(words)):
            heard = ""
            for word in words[first : first + 5]:
                heard += word.replace("-", "")
                if 0.7 * len(name) <= len(heard) <= 1.4 * len(name):
                    alike = max(fuzz.ratio(heard, name) / 100, likeness(heard, name) - _SOUNDS_SAY_LESS)
                    best = max(best, alike if alike <= best or not is_another(heard, name, alike) else 0.0)
    return max(hidden, _rise(best, *_COMPANY_ALIKE))


def _whole(names: Iterable[str]) -> set[str]:
    return {"".join(name.split()).lower().replace("-", "") for name in names}


def _doubtful(turn: Turn, explained: set[tuple[int, int]]) -> Iterator[str]:
    """Words that recognition doubts and no act explains, alone and joined with the next."""
    for n, token in enumerate(turn.tokens):
        if (turn.turn_no, n) not in explained and token.probability < _DOUBTED_WORD:
            word = "".join(words_of(token.text))
            yield word
            if n + 1 < len(turn.tokens):
                yield word + "".join(words_of(turn.tokens[n + 1].text))


def _wanted(criterion: Criterion, codes: Iterable[str]) -> Iterator[str]:
    """The words of the phrases that answer a criterion, without the signs of their patterns."""
    for code in codes:
        for act in criterion.acts:
            for phrase in load(code).acts.get(act, ()):
                yield from (w for part in phrase.replace("_", " ").replace("|", " ").split() for w in words_of(part))


def _alike(word: str, wanted: Sequence[str]) -> float:
    if len(word) < _LETTERS:
        return 0.0
    best = process.extractOne(word, [w for w in wanted if len(w) >= _LETTERS], scorer=fuzz.ratio)
    return best[1] / 100 if best else 0.0


def _rise(value: float, low: float, high: float) -> float:
    """0 up to `low`, 1 from `high` on, a straight line between."""
    return min(max((value - low) / (high - low), 0.0), 1.0)
