"""Fits calibration and decision thresholds: `python -m pipelines.quality.fit_thresholds --folds FOLDER [--write]`.

Creates `pipelines/score/thresholds.yaml` from verdicts with known answers, on labelled dialogues that the turn model was not fitted to,
as written and with simulated recognition errors. First the probability that evidence is right is fitted on its kind and strength, with
small corrections by criterion and language, shrunk by a prior. Then each criterion in each language gets the minimum confidence at
which its verdicts reached the target precision. Few verdicts are weak evidence: a group's precision is shrunk towards that of the
criterion in all languages, and this towards that of all criteria, as if `BACK_OFF` verdicts had been measured there; and its threshold
departs from the wider group's in proportion to its number of verdicts. Prints the effect on the same calls and on calls of a held-out
centre.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import yaml

from models import private_files
from pipelines.quality.folds import add_folds, from_folds
from pipelines.quality.measured import RECOGNISED, REFERENCE, MeasuredVerdict
from pipelines.quality.tables import markdown, pct
from pipelines.score.calibration import ANY, KINDS, PATH, Calibration, CalibrationLine, load_calibration, log_odds

# The only place that defines the required precision of verdicts.
WANTED = 0.92  # of the decided verdicts of a criterion in a language
WANTED_TO_FAIL = 0.92  # of all fails: a wrong fail is the worst error
LEAST, LEAST_TO_FAIL = 0.65, 0.85  # no verdict, and no fail, is given below this confidence, however precise its group is
BACK_OFF = 20.0  # the number of verdicts of the wider group that weigh as much as a group's own
GRID = tuple(round(LEAST + 0.01 * n, 2) for n in range(35))
_OFFSET_PRIOR, _SLOPE_PRIOR, _GROUP_PRIOR = 1.0, 0.3, 0.5  # standard deviations of the fitted parameters
Floats = npt.NDArray[np.float64]


def fit(some: Iterable[MeasuredVerdict]) -> Calibration:
    """The measured probabilities, without thresholds: logistic regression with normal priors."""
    known = [m for m in some if m.verdict != "unsure"]
    criteria, languages = sorted({m.criterion for m in known}), sorted({m.language for m in known})
    names = [("offset", k) for k in KINDS] + [("slope", k) for k in KINDS] + [("criterion", c) for c in criteria]
    names += [("language", code) for code in languages]
    column = {name: n for n, name in enumerate(names)}
    x = np.zeros((len(known), len(names)))
    base = np.array([log_odds(m.strength) for m in known])
    for row, m in enumerate(known):
        x[row, [column["offset", m.kind], column["criterion", m.criterion], column["language", m.language]]] = 1
        x[row, column["slope", m.kind]] = base[row]
    spread = {"offset": _OFFSET_PRIOR, "slope": _SLOPE_PRIOR, "criterion": _GROUP_PRIOR, "language": _GROUP_PRIOR}
    found = regress(x, base, np.array([float(m.is_right) for m in known]), np.array([spread[what] for what, _ in names]))
    return Calibration(
        version="",
        kinds={
            k: CalibrationLine(offset=_short(found[column["offset", k]]), slope=_short(max(0.0, 1 + found[column["slope", k]])))
            for k in KINDS
        },
        criteria={c: _short(found[column["criterion", c]]) for c in criteria},
        languages={code: _short(found[column["language", code]]) for code in languages},
    )


def regress(x: Floats, base: Floats, right: Floats, spread: Floats) -> Floats:
    """The additions to the base log odds per column, by Newton's method with bounded steps; each has a normal prior around zero."""

    def loss(some: Floats) -> float:
        odds = base + x @ some
        return float(np.logaddexp(0, np.where(right > 0, -odds, odds)).sum() + (some**2 / spread**2).sum() / 2)

    found = np.zeros(x.shape[1])
    for _ in range(100):
        chance = 1 / (1 + np.exp(-np.clip(base + x @ found, -30, 30)))
        slope = x.T @ (right - chance) - found / spread**2
        curve = (x * (chance * (1 - chance))[:, None]).T @ x + np.diag(1 / spread**2)
        step, before = np.linalg.solve(curve, slope), loss(found)
        while loss(found + step) > before and np.abs(step).max() > 1e-9:
            step = step / 2
        found += step
        if np.abs(step).max() < 1e-6:
            break
    return found


def choose(some: Sequence[MeasuredVerdict], wanted: float = WANTED, wanted_to_fail: float = WANTED_TO_FAIL) -> Calibration:
    """A calibration with its thresholds, from measured verdicts."""
    fitted = fit(some)
    sure = [(m, fitted.confidence(m.kind, m.strength, m.criterion, m.language)) for m in some if m.verdict != "unsure"]
    limits = {
        (criterion, language): _limit(_groups(sure, criterion, language), wanted)
        for criterion in (ANY, *sorted({m.criterion for m in some}))
        for language in (ANY, *sorted({m.language for m in some}))
    }
    fails = [[(c, m.is_right) for m, c in sure if m.verdict == "fail"]]
    return replace(fitted, thresholds=limits, least_to_fail=max(LEAST_TO_FAIL, _least(fails, wanted_to_fail)))


def _groups(sure: Sequence[tuple[MeasuredVerdict, float]], criterion: str, language: str) -> list[list[tuple[float, bool]]]:
    """Confidence and correctness of all verdicts, of the criterion's, and of the criterion's in the language: the widest group first."""
    wide: list[Callable[[MeasuredVerdict], bool]] = [lambda m: True]
    if criterion != ANY:
        wide.append(lambda m: m.criterion == criterion)
    if language != ANY:
        wide.append(lambda m: m.language == language and criterion in (ANY, m.criterion))
    return [[(c, m.is_right) for m, c in sure if is_meant(m)] for is_meant in wide]


def _limit(groups: Sequence[Sequence[tuple[float, bool]]], wanted: float) -> float:
    """The threshold of the last group: that of the wider one, moved towards its own in proportion to its verdicts."""
    limit = _least(groups[:1], wanted)
    for n in range(2, len(groups) + 1):
        weight = len(groups[n - 1]) / (len(groups[n - 1]) + BACK_OFF)
        limit += weight * (_least(groups[:n], wanted) - limit)
    return round(limit, 3)


def _least(groups: Sequence[Sequence[tuple[float, bool]]], wanted: float) -> float:
    """The minimum confidence with the target precision, each group shrunk towards the wider one before it."""
    for threshold in GRID:
        precision = wanted
        for n, group in enumerate(groups):
            kept = [is_right for confidence, is_right in group if confidence >= threshold]
            weight = BACK_OFF if n else 2.0
            precision = (sum(kept) + weight * precision) / (len(kept) + weight)
        if precision >= wanted:
            return threshold
    return GRID[-1]


def left_out(some: Sequence[MeasuredVerdict], wanted: float = WANTED) -> list[tuple[MeasuredVerdict, Calibration]]:
    """Each verdict with the calibration chosen from the calls of all other centres."""
    without = {name: choose([m for m in some if m.centre != name], wanted) for name in {m.centre for m in some}}
    return [(m, without[m.centre]) for m in some]


def outcome(some: Iterable[tuple[MeasuredVerdict, Calibration]]) -> tuple[int, int, int, int]:
    """The numbers of verdicts, of decided and right ones, and of wrong fails."""
    n = decided = right = wrong_fails = 0
    for m, calibration in some:
        n += 1
        sure = calibration.confidence(m.kind, m.strength, m.criterion, m.language)
        if m.verdict != "unsure" and calibration.decides(m.verdict, sure, m.criterion, m.language):
            decided += 1
            right += m.is_right
            wrong_fails += m.verdict == "fail" and not m.is_right
    return n, decided, right, wrong_fails


def report(some: Sequence[MeasuredVerdict], chosen: Calibration) -> str:
    """The effect of the thresholds on the calls that they were chosen from, and on those of held-out centres."""
    same, other = [(m, chosen) for m in some], left_out(some)
    rows = []
    for source in (RECOGNISED, REFERENCE):
        keys = sorted({m.language for m in some}) + sorted({m.criterion for m in some})
        for key in ("all", *keys):
            picked = []
            for name, pairs in (("same", same), ("left out", other)):
                own = [p for p in pairs if p[0].source == source and key in ("all", p[0].language, p[0].criterion)]
                picked.append((name, outcome(own)))
            if any(n[0] for _, n in picked):
                rows.append((source, key, picked[0][1][0], *(_cell(o) for _, o in picked)))
    head = ("words", "verdicts of", "n", "decided → right, wrong fails: same calls", "each centre left out")
    return markdown(head, rows)


def _cell(found: tuple[int, int, int, int]) -> str:
    n, decided, right, wrong_fails = found
    return f"{pct(decided / n)} → {pct(right / decided) if decided else '–'}, {wrong_fails}" if n else "–"


def as_yaml(chosen: Calibration, version: str, some: Sequence[MeasuredVerdict], wanted: float) -> str:
    """The file of a calibration."""
    limits: dict[str, dict[str, float]] = {}
    for (criterion, language), value in chosen.thresholds.items():
        limits.setdefault(criterion, {})[language] = value
    sources = {source: sum(m.source == source for m in some) for source in (REFERENCE, RECOGNISED)}
    body = {
        "version": version,
        "chosen_from": ", ".join(f"{n} verdicts on {source} words" for source, n in sources.items() if n),
        "wanted": wanted,
        "wanted_to_fail": WANTED_TO_FAIL,
        "least_to_fail": chosen.least_to_fail,
        "kinds": {name: {"offset": line.offset, "slope": line.slope} for name, line in chosen.kinds.items()},
        "criteria": dict(chosen.criteria),
        "languages": dict(chosen.languages),
        "thresholds": limits,
    }
    head = "# Made by `python -m pipelines.quality.fit_thresholds`; how it is read: calibration.py, what was measured: docs/quality.md.\n"
    return head + yaml.safe_dump(body, sort_keys=False, allow_unicode=True, default_flow_style=None, width=140)


def _short(value: float) -> float:
    return round(float(value), 2)


def main() -> int:
    """Fit, print the effect, and write the file on request; exit status 1 when nothing was measured."""
    private_files.apply_umask()
    parser = argparse.ArgumentParser(prog="python -m pipelines.quality.fit_thresholds", description="Fit calibration and thresholds.")
    add_folds(parser)
    parser.add_argument("--wanted", type=float, default=WANTED, help="required precision of decided verdicts, 0 to 1 (default %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"write {PATH.name}; without it, only the effect is printed")
    arguments = parser.parse_args()
    some = from_folds(arguments.folds)
    if not some:
        print("No dialogue of these writers was graded.", file=sys.stderr)
        return 1
    chosen = choose(some, arguments.wanted)
    print(report(some, chosen))
    if arguments.write:
        version = str(int(load_calibration().version) + 1)
        PATH.write_text(as_yaml(chosen, version, some, arguments.wanted), encoding="utf-8")
        print(f"\n{PATH} is version {version}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
