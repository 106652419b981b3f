"""Learns recognition errors from pairs of spoken and recognised text: `python -m models.training.learn_noise < PAIRS`.

Reads JSON lines with `language`, `said` and `recognised` (written by `python -m pipelines.quality.pairs`) and writes `noise.json`
beside this file. Only how words change is learned, never which words they were.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from rapidfuzz.distance import Levenshtein

from models.training.noise import LEARNED

_WORD = re.compile(r"[\w'’-]+|\[[A-Z_]+\]")
_MOST_CHANGED = 0.6  # more different words were aligned by chance
_MOST_EDITS = 4
_LEAST_SEEN = 2


def main() -> None:
    """Learn from standard input, one pair per line."""
    by_language: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in sys.stdin:
        pair = json.loads(line)
        by_language[pair["language"]].append((pair["said"], pair["recognised"]))
    learned = {language: habits_of(pairs) for language, pairs in sorted(by_language.items())}
    LEARNED.write_text(json.dumps(learned, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for language, habits in learned.items():
        print(language, {name: habits[name] for name in ("words", "wrong", "lost", "joined", "split", "edits")})


def habits_of(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """How often words of these texts are lost, joined, split and misrecognised, and the letter confusions."""
    kinds: Counter[str] = Counter()
    letters: dict[str, Counter[str]] = defaultdict(Counter)
    edits: Counter[int] = Counter()
    for said, recognised in pairs:
        first, second = (_WORD.findall(text.lower()) for text in (said, recognised))
        kinds["words"] += len(first)
        for gone, come in _changed(first, second):
            if not come:
                kinds["lost"] += len(gone)
            elif gone:
                _learn_words(gone, come, kinds, letters, edits)
    wrong = sum(kinds[kind] for kind in ("lost", "joined", "split", "misheard")) or 1
    return {
        "words": kinds["words"],
        "wrong": round(wrong / max(kinds["words"], 1), 4),
        "lost": round(kinds["lost"] / wrong, 3),
        "joined": round(kinds["joined"] / wrong, 3),
        "split": round(kinds["split"] / wrong, 3),
        "edits": [edits[n] for n in range(1, _MOST_EDITS + 1)],
        "letters": {
            letter: {other: n for other, n in sorted(becomes.items()) if n >= _LEAST_SEEN}
            for letter, becomes in sorted(letters.items())
            if max(becomes.values()) >= _LEAST_SEEN
        },
    }


def _changed(said: list[str], recognised: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Each maximal run of words that was recognised differently: the words before and after it agree."""
    gone: list[str] = []
    come: list[str] = []
    for op in Levenshtein.opcodes(said, recognised):
        if op.tag == "equal":
            yield gone, come
            gone, come = [], []
        else:
            gone, come = gone + said[op.src_start : op.src_end], come + recognised[op.dest_start : op.dest_end]
    yield gone, come


def _learn_words(
    said: list[str], recognised: list[str], kinds: Counter[str], letters: dict[str, Counter[str]], edits: Counter[int]
) -> None:
    if len(said) != len(recognised) and Levenshtein.normalized_distance("".join(said), "".join(recognised)) < _MOST_CHANGED / 2:
        kinds["joined" if len(said) > len(recognised) else "split"] += abs(len(said) - len(recognised))
        return
    for one, other in zip(said, recognised, strict=False):
        if other.startswith("[") or Levenshtein.normalized_distance(one, other) > _MOST_CHANGED:
            continue
        kinds["misheard"] += 1
        changes = Levenshtein.editops(one, other)
        edits[min(len(changes), _MOST_EDITS)] += 1
        for change in changes:
            if change.tag != "insert":
                letters[one[change.src_pos]][other[change.dest_pos] if change.tag == "replace" else ""] += 1


if __name__ == "__main__":
    main()
