"""Measures topic discovery: `python -m pipelines.quality.topic_discovery`.

Weeks are drawn from the labelled dialogues of all centres. An ordinary week must show nothing. Among the calls of each other week stand
what clients say about one reason; a group counts as found when most of its calls are these. The reasons are

- topics of a writer whom the encoder was not fitted to (`models/training/topics/w55.jsonl`: eight calls in two languages). The method was
  chosen on every other topic; the figures are of the rest;
- with `--reasons FILE`, those of a YAML file: sentences by reason, such as `tests/quality/new_reasons.yaml`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from models.text.sentence_encoder import get_sentence_encoder
from models.training.dialogues import read_dialogues
from models.training.noise import masked
from models.training.topics import read_topics
from pipelines.discovery.openings import OPENING_WORDS
from pipelines.discovery.scan import new_groups

WRITER = 55
SIZES = ((135, 1100), (270, 1000), (470, 800))  # calls of the week and of the weeks before; there are 1,311 dialogues
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class WeekResult:
    """What a made-up week showed: the groups, and the share of planted calls in the best and of the best in the planted ones."""

    groups: int
    precision: float = 0.0
    recall: float = 0.0


def background() -> NDArray[np.float32]:
    """What clients say first in the training dialogues, personal data masked, [dialogues, width]."""
    said = []
    for dialogue in read_dialogues():
        words = [word for turn in dialogue.turns if turn.role == "client" for word in masked(turn.words, turn.personal)[0]]
        said.append(" ".join(words[:OPENING_WORDS]))
    return encoded(said)


def encoded(said: Sequence[str]) -> NDArray[np.float32]:
    """The vectors of some openings."""
    matcher = get_sentence_encoder()
    return np.concatenate([matcher.vectors(said[first : first + _AT_ONCE]) for first in range(0, len(said), _AT_ONCE)])


def weeks(
    calls: NDArray[np.float32], reasons: Sequence[NDArray[np.float32]], number: int, before: int, draws: int, seed: int
) -> Iterator[WeekResult]:
    """Made-up weeks with one of the reasons each, drawn in turn; ordinary ones without `reasons`."""
    rng = np.random.default_rng(seed)
    for n in range(draws):
        drawn = calls[rng.permutation(len(calls))[: number + before]]
        planted = len(reasons[n % len(reasons)]) if reasons else 0
        if planted:
            drawn[:planted] = reasons[n % len(reasons)]
        groups = new_groups(drawn, np.arange(len(drawn)) < number, seed=n)
        counts = [(sum(one < planted for one in group.members), len(group.members)) for group in groups]
        right, size = max(counts, default=(0, 1))
        yield WeekResult(len(groups), right / size, right / max(planted, 1))


def main() -> None:
    """Print the figures as a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.quality.topic_discovery", description="Measure topic discovery.")
    parser.add_argument("--draws", type=int, default=100, help="weeks of each kind (default: %(default)s)")
    parser.add_argument("--chosen-on", action="store_true", help="use the topics on which the method was chosen instead of the others")
    parser.add_argument("--reasons", type=Path, metavar="FILE", help="YAML with what clients say about each reason, in place of the topics")
    given = parser.parse_args()
    if given.reasons:
        said = list(yaml.safe_load(given.reasons.read_text(encoding="utf-8")).values())
    else:
        topics = [topic for topic in read_topics() if topic.writer == WRITER][0 if given.chosen_on else 1 :: 2]
        said = [[one for some in topic.said.values() for one in some] for topic in topics]
    calls, reasons = background(), [encoded(one) for one in said]
    print(
        "| calls of the week + before | ordinary weeks without a group | planted | found | calls of the group that are planted, of the planted in it |"
    )
    print("|---|---|---|---|---|")
    for number, before in SIZES:
        ordinary = list(weeks(calls, (), number, before, given.draws, 1))
        planted = list(weeks(calls, reasons, number, before, given.draws, 2))
        found = [one for one in planted if one.precision >= 0.5]
        share = [f"{np.mean([getattr(one, name) for one in found]):.0%}" if found else "–" for name in ("precision", "recall")]
        quiet = sum(not one.groups for one in ordinary)
        print(
            f"| {number} + {before} | {quiet} of {len(ordinary)} | {len(reasons[0])} | {len(found)} of {len(planted)} | {share[0]}, {share[1]} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
