"""Mishearings put on top of what was heard or read, to see how much of a judgement hangs on single words.

Other voices and other lines spoil other words: a figure that falls with a few of them changed will not hold for calls that nobody has measured.
"""

from __future__ import annotations

import random
from dataclasses import replace

from pipelines.records import Token, Turn

# Sounds that recognition takes for each other: unstressed vowels, and consonants with their voiced or voiceless counterparts.
_VOWELS = {"а": "о", "о": "а", "е": "и", "и": "е", "ы": "и", "у": "о", "я": "е", "і": "и", "a": "e", "e": "i", "o": "u", "i": "e"}
_VOICED, _VOICELESS = "бдгвзжbdgvz", "пткфсшptkfs"
_LIKE = _VOWELS | dict(zip(_VOICED + _VOICELESS, _VOICELESS + _VOICED, strict=True))
_SHORTEST = 4  # a letter is lost in words of so many


def misheard(turn: Turn, rate: float, draw: random.Random) -> Turn:
    """The turn with about `rate` of its words lost (a third of them) or misheard, and half as many pauses and stops moved; masks stay.

    A misheard word has one letter changed or lost and is up to half as likely as it was. At least one word stays.
    """
    tokens: list[Token] = []
    for token in turn.tokens:
        chance = draw.random()
        if token.text.startswith("["):
            tokens.append(token)
        elif chance < rate / 3:
            continue
        elif chance < rate:
            tokens.append(replace(token, text=_spoiled(token.text, draw), probability=token.probability * draw.uniform(0.5, 1.0)))
        else:
            if chance < 1.25 * rate:
                token = replace(token, text=token.text.rstrip(",.?!") or token.text)
            elif chance < 1.5 * rate and token.text[-1].isalpha():
                token = replace(token, text=token.text + draw.choice(",."))
            tokens.append(token)
    return replace(turn, tokens=tuple(tokens) or turn.tokens[:1])


def _spoiled(word: str, draw: random.Random) -> str:
    at = draw.randrange(len(word))
    like = _LIKE.get(word[at].lower())
    if like is None:
        return word[:at] + word[at + 1 :] if len(word) >= _SHORTEST else word
    return word[:at] + like + word[at + 1 :]
