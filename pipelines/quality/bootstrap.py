"""Bootstrap intervals of the headline figures: their variation over other calls of the same kind.

Whole calls are drawn with replacement: the verdicts of one call are correlated, so that drawing verdicts would give intervals that are
too narrow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.quality.figures import CLIENT_SENTIMENTS, Figures, figures_of
from pipelines.quality.replay import JudgedCall
from pipelines.quality.tables import markdown

DRAWS = 1000
Sums = Mapping[str, NDArray[np.float64]]  # name of a count → its sum in each resample


def _share(part: str, whole: str) -> Callable[[Sums], NDArray[np.float64]]:
    return lambda sums: np.where(sums[whole] > 0, sums[part] / np.maximum(sums[whole], 1), np.nan)


def _f1(sums: Sums, right: str, missed: str, false_positive: str) -> NDArray[np.float64]:
    whole = 2 * sums[right] + sums[missed] + sums[false_positive]
    return np.where(whole > 0, 2 * sums[right] / np.maximum(whole, 1), np.nan)


def _sentiment_f1(sums: Sums) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = np.mean(
        [_f1(sums, f"sentiment {m} right", f"sentiment {m} missed", f"sentiment {m} false_positive") for m in CLIENT_SENTIMENTS], axis=0
    )
    return mean


HEADLINES: Mapping[str, Callable[[Sums], NDArray[np.float64]]] = {
    "criteria right of decided": _share("right", "decided"),
    "criteria decided": _share("decided", "n"),
    "wrong fails of all criteria": _share("wrong_fail", "n"),
    "procedure of abusive calls": _share("procedure", "abusive"),
    "false accusations a call": _share("accused", "calls"),
    "calls without abuse in which some is found": _share("alarms", "peaceful"),
    "abuse F1": lambda sums: _f1(sums, "abuse right", "abuse missed", "abuse false_positive"),
    "sentiment macro F1": _sentiment_f1,
    "topic": _share("topic", "calls"),
    "client type": _share("client_type", "calls"),
    "quotes in a marked turn": _share("quotes marked", "quotes"),
    "numbers readable": _share("numbers readable", "numbers"),
    "names and addresses readable": _share("names readable", "names"),
    "harmless numbers masked": _share("numbers masked", "numbers harmless"),
}


def counts_of(found: Figures) -> Counter[str]:
    """The counts behind the headline figures."""
    total = found.criteria_sum
    counts = Counter(
        {
            "calls": found.calls, "n": total["n"], "decided": total["decided"], "right": total["right"], "wrong_fail": total["wrong_fail"],
            "procedure": found.procedure_of_abusive.part, "abusive": found.procedure_of_abusive.whole, "accused": len(found.false_accusations),
            "alarms": found.abuse_alarms.part, "peaceful": found.abuse_alarms.whole,
            "abuse right": found.abuse_true_positives, "abuse missed": found.abuse_false_negatives, "abuse false_positive": found.abuse_false_positives,
            "topic": found.topic.part, "client_type": found.client_type.part,
            "quotes marked": found.quotes_marked.part, "quotes": found.quotes_marked.whole,
            "numbers readable": found.readable_numbers.part, "numbers": found.readable_numbers.whole,
            "names readable": found.readable_names.part, "names": found.readable_names.whole,
            "numbers masked": found.masked_numbers.part, "numbers harmless": found.masked_numbers.whole,
        }
    )  # fmt: skip
    for (true, read), n in found.sentiments.items():
        if true == read:
            counts[f"sentiment {true} right"] += n
        else:
            counts[f"sentiment {true} missed"] += n
            counts[f"sentiment {read} false_positive"] += n
    return counts


def headlines(judged: Sequence[JudgedCall], seed: int = 1) -> dict[str, tuple[float, float, float]]:
    """Each headline figure (0 to 1, or NaN where there was nothing to count) with its 95 % interval over calls."""
    each = [counts_of(figures_of([one])) for one in judged]
    names = sorted({name for counts in each for name in counts})
    table = np.array([[counts[name] for name in names] for counts in each], dtype=np.float64)
    drawn = np.random.default_rng(seed).multinomial(len(each), np.full(len(each), 1 / len(each)), DRAWS)
    sums = np.concatenate([table.sum(axis=0, keepdims=True), drawn @ table])
    by_name = {name: sums[:, n] for n, name in enumerate(names)}
    padded = _WithZeros(by_name, DRAWS + 1)
    found = {}
    for name, figure in HEADLINES.items():
        value, *rest = figure(padded)
        known = [x for x in rest if not np.isnan(x)]
        low, high = np.percentile(known, [2.5, 97.5]) if known else (np.nan, np.nan)
        found[name] = (float(value), float(low), float(high))
    return found


class _WithZeros(dict[str, NDArray[np.float64]]):
    """Sums with a default of 0."""

    def __init__(self, sums: Sums, length: int) -> None:
        super().__init__(sums)
        self._length = length

    def __missing__(self, name: str) -> NDArray[np.float64]:
        return np.zeros(self._length)


def table(judged: Sequence[JudgedCall]) -> str:
    """The headline figures with their intervals as a Markdown table, in percent."""
    rows = (
        (name, "–" if np.isnan(value) else f"{100 * value:.1f}", "–" if np.isnan(value) else f"{100 * low:.1f} to {100 * high:.1f}")
        for name, (value, low, high) in headlines(judged).items()
    )
    return markdown(("figure", "%", "95 % interval"), rows)
