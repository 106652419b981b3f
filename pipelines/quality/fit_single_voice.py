"""Fits and evaluates the detection of a single voice, `models.diarization.voices.APART`.

    python -m pipelines.quality.fit_single_voice FOLDER [--alone RECORDINGS]

`FOLDER` is a folder of reference calls (audio/, reference/): each call as one channel has two people, each track of a stereo call one.
Prints the weights fitted to all of them, whole and cut short, and the accuracy with one centre at a time left out of the fit.
`RECORDINGS` has sound files with one voice each, which are only evaluated.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.linear_model import LogisticRegression

from models.diarization import diarizer, voices
from pipelines.audio import step as audio
from pipelines.core.errors import BadRecordingError
from pipelines.core.settings import Settings

CUTS = (3, 4, 6, 8, 12, 16, 24)  # pieces that a shortened example has
CUTS_EACH = 8
FEW, FEW_EACH = (2, 3, 4, 6), 4  # pieces left of one of two people: a client who hardly speaks
BLEEDING = 0.55  # cosine of the two groups of a track below which it has bleed from the other side
SUFFIXES = (".wav", ".mp3", ".ogg", ".flac", ".gsm")


@dataclass(frozen=True, slots=True)
class VoiceExample:
    """Consecutive pieces of one recording."""

    centre: str
    is_two: bool
    is_whole: bool
    features: dict[str, float]


def main() -> None:
    """Print the weights and the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.quality.fit_single_voice", description="Fit the detection of a single voice."
    )
    parser.add_argument("folder", type=Path, help="calls with references")
    parser.add_argument("--alone", type=Path, help="recordings of one voice each, for evaluation only")
    given = parser.parse_args()
    examples = list(examples_of(sounds_of(given.folder)))
    rows, labels = _rows(examples)
    fitted = LogisticRegression(C=10, max_iter=2000).fit(rows, labels)
    print(
        {"offset": round(float(fitted.intercept_[0]), 1)} | {n: round(float(w), 1) for n, w in zip(_names(), fitted.coef_[0], strict=True)}
    )
    classified: list[tuple[VoiceExample, bool]] = []
    for centre in sorted({e.centre for e in examples}):
        rest = _rows([e for e in examples if e.centre != centre])
        left = [e for e in examples if e.centre == centre]
        odds = LogisticRegression(C=10, max_iter=2000).fit(*rest).decision_function(_rows(left)[0])
        classified += zip(left, (bool(o >= voices.LEAST_LOG_ODDS) for o in odds), strict=True)
    for name, is_whole in (("whole", True), ("cut short", False)):
        for two in (True, False):
            some = [is_right == two for e, is_right in classified if e.is_whole is is_whole and e.is_two is two]
            print(f"{name}, {'two people' if two else 'one voice'}: {sum(some)} of {len(some)} right, their centre left out")
    if given.alone:
        _measure_alone(given.alone)


def _measure_alone(folder: Path) -> None:
    """Print how many single-voice recordings get one speaker, and that speaker's share of the time."""
    found = _diarizer()
    one = recordings = 0
    own_s = all_s = 0.0
    for _, _, samples in _files(folder):
        of: dict[str, float] = {}
        for stretch in next(iter(found.diarize(iter([samples])))):
            of[stretch.speaker] = of.get(stretch.speaker, 0.0) + stretch.end_s - stretch.start_s
        if of:
            recordings, one = recordings + 1, one + (len(of) == 1)
            own_s, all_s = own_s + max(of.values()), all_s + sum(of.values())
    print(f"one voice alone, {folder}: {one} of {recordings} recordings have one speaker, who has {own_s / max(all_s, 1):.1%} of the time")


def _diarizer() -> diarizer.Diarizer:
    settings = Settings.from_environment()
    return diarizer.get_diarizer(settings.profile, settings.models_dir)


def sounds_of(folder: Path) -> Iterator[tuple[str, bool, npt.NDArray[np.float32]]]:
    """Centre, whether two people speak, and samples of each call as one channel and of each track of a stereo call."""
    for file in sorted((folder / "reference").glob("*.json")):
        reference = json.loads(file.read_text(encoding="utf-8"))
        tracks = [track[:] for track in audio.decode(next((folder / "audio").glob(f"{reference['id']}.*"))).tracks]
        longest = max(len(t) for t in tracks)
        mixed = np.asarray(
            np.sum([np.pad(t, (0, longest - len(t))) for t in tracks], axis=0, dtype=np.float32) / len(tracks) ** 0.5, np.float32
        )
        yield reference["centre"], True, mixed
        for track in tracks if len(tracks) == 2 else ():
            yield reference["centre"], False, track


def _files(folder: Path) -> Iterator[tuple[str, bool, npt.NDArray[np.float32]]]:
    for file in sorted(folder.rglob("*")):
        if file.suffix in SUFFIXES:
            try:
                yield "", False, audio.decode(file).tracks[0][:]
            except BadRecordingError as error:
                print(f"{file.name}: {error}")


def examples_of(sounds: Iterable[tuple[str, bool, npt.NDArray[np.float32]]], is_cut: bool = True) -> Iterator[VoiceExample]:
    """Each recording as an example, and parts of it; a track with bleed from the other side is skipped."""
    found = _diarizer()
    draw = random.Random(1)
    for centre, is_two, samples in sounds:
        with mock.patch.object(diarizer, "speakers_of_pieces", wraps=voices.speakers_of_pieces) as seen:
            list(found.diarize(iter([samples])))
        if not seen.call_args:
            continue
        unit, seconds = _learned(*seen.call_args.args)
        if len(unit) < 2:
            continue
        whole = _features(unit, seconds)
        if is_cut and not is_two and whole["cosine"] < BLEEDING:
            continue
        yield VoiceExample(centre, is_two, True, whole)
        groups = fcluster(linkage(unit, method="ward"), 2, "maxclust")
        for _ in range(CUTS_EACH if is_cut else 0):
            length = draw.choice(CUTS)
            first = draw.randrange(max(1, len(unit) - length))
            part = slice(first, first + length)
            if length < len(unit) and (not is_two or len(set(groups[part])) == 2):
                yield VoiceExample(centre, is_two, False, _features(unit[part], seconds[part]))
        for _ in range(FEW_EACH if is_cut and is_two else 0):
            quiet = np.flatnonzero(groups == draw.choice((1, 2)))
            kept = np.setdiff1d(np.arange(len(unit)), quiet)
            kept = np.sort(np.concatenate([kept, draw.sample(list(quiet), min(draw.choice(FEW), len(quiet)))]))
            yield VoiceExample(centre, True, False, _features(unit[kept], seconds[kept]))


def _learned(pieces: Any, embeddings: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The unit-length embeddings that define the voices, and the seconds of their pieces."""
    chosen = voices.learned_pieces(pieces, embeddings)
    rows = np.array([embeddings[n] / np.linalg.norm(embeddings[n]) for n in chosen])
    return rows, np.array([pieces[n].last - pieces[n].first for n in chosen]) / voices.FRAMES_A_SECOND


def _features(unit: npt.NDArray[Any], seconds: npt.NDArray[Any]) -> dict[str, float]:
    groups = fcluster(linkage(unit, method="ward"), 2, "maxclust") - 1
    return voices.apartness(unit, groups if groups.max() else np.arange(len(unit)) % 2, seconds)


def _names() -> list[str]:
    return [name for name in voices.APART if name != "offset"]


def _rows(examples: Iterable[VoiceExample]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    some = list(examples)
    return np.array([[e.features[name] for name in _names()] for e in some]), np.array([e.is_two for e in some])


if __name__ == "__main__":
    main()
