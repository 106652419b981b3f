"""From active speakers per frame to speaker identities: the pure part of the offline diarization of one call.

The segmentation network separates speakers inside one window, but merges two similar voices that answer each other without a pause. So
its speakers are not taken as one person: the active stretches are cut into short pieces, each piece is embedded separately, the
embeddings of the call are clustered into voices, and a minimum-cost path through the pieces keeps a sentence with one speaker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Embeddings = npt.NDArray[np.floating[Any]]

FRAMES_A_SECOND = 100
# Log odds that two groups of pieces are two people and not one voice in two moods: per unit of the cosine of their means, of the logarithm
# of all pieces, of the smaller group's share and of the logarithm of its seconds. Fitted by `python -m pipelines.quality.fit_single_voice`
# on the calls and tracks of calls/dev.
APART = {"offset": 6.2, "cosine": -27.5, "log_pieces": 2.6, "share": 14.7, "log_seconds": 2.3}
MOST_PIECES, MOST_SHARE, MOST_SECONDS = 24, 0.3, 6.0  # larger values add no evidence
LEAST_LOG_ODDS = -0.4  # most recordings are calls of two people
LEAST_SPEECH_S = 5.0  # less speech is not a conversation and gives too few pieces to compare
OTHER_VOICE = 0.65  # the similarity of a third voice to both others is below this
THIRD_SHARE = 0.1  # and it has at least this share of the pieces,
THIRD_PIECES = 3  # and at least this many: a single outlier is a cough, a shout or a noise
LEARNED_FRAMES = 60  # shorter pieces do not define the voices, they are only assigned to one
MOST_LEARNED = 3000  # pieces that define the voices, evenly chosen from a call of hours: comparing all pairs takes quadratic memory
ITERATIONS = 3

# Costs of the path through the pieces, in units where a piece of a second or more costs `DISSIMILARITY_COST` x (1 - similarity to the voice).
DISSIMILARITY_COST = 20.0
CHANGE_INSIDE = 1.5  # the voice changes without a pause
CHANGE_AT_PAUSE = 0.5  # it changes after a pause of `PAUSE_FRAMES`
PAUSE_FRAMES = 25


@dataclass(frozen=True, slots=True)
class VoiceSegment:
    """A stretch in which the segmentation found one active speaker throughout, or several at once (`is_overlap`); frames of 10 ms."""

    first: int
    last: int  # exclusive
    is_overlap: bool


def cut_pieces(active: npt.NDArray[np.bool_], longest_frames: int) -> list[VoiceSegment]:
    """The pieces of one call, in order, from the active speakers per frame, [frames, speakers of the window].

    A piece ends where another speaker starts or overlaps; a longer stretch is cut into equal parts.
    """
    if not len(active):
        return []
    many = active.shape[1]
    who = np.where(active.sum(axis=1) == 1, active.argmax(axis=1), np.where(active.any(axis=1), many, -1))
    edges = np.flatnonzero(np.concatenate([[True], who[1:] != who[:-1], [True]]))
    pieces: list[VoiceSegment] = []
    for first, last in pairwise(edges):
        if who[first] == many:
            pieces.append(VoiceSegment(int(first), int(last), True))
        elif who[first] >= 0:
            cuts = np.linspace(first, last, -(-int(last - first) // longest_frames) + 1).round().astype(int)
            pieces += [VoiceSegment(int(a), int(b), False) for a, b in pairwise(cuts)]
    return pieces


def voices_in_call(embeddings: Embeddings, seconds: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int_]:
    """The speaker, 0 to 2, of each voice embedding [n, dimension] of one call, from pieces with these durations in seconds [n].

    One speaker where two groups are not separated enough (a voice message, an announcement), three only where the third is unlike both
    others and speaks often enough (a transfer, a prompt), otherwise two.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(embeddings) < 2:
        return np.zeros(len(embeddings), np.int_)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    tree = linkage(unit, method="ward")

    def cut(count: int) -> tuple[npt.NDArray[np.int_], float, int]:
        labels = np.unique(fcluster(tree, count, "maxclust"), return_inverse=True)[1]
        centres = _centres(unit, labels, np.ones(len(unit)), int(labels.max()) + 1)
        highest_similarity = float((centres @ centres.T)[np.triu_indices(len(centres), 1)].max(initial=-1.0))
        return labels, highest_similarity, int(np.bincount(labels).min())

    two = cut(2)[0]
    if two.max() == 0 or seconds.sum() < LEAST_SPEECH_S or log_odds_of_two(unit, two, seconds) < LEAST_LOG_ODDS:
        return np.zeros(len(embeddings), np.int_)
    three, similarity_of_three, smallest = cut(3)
    if three.max() == 2 and similarity_of_three < OTHER_VOICE and smallest >= max(THIRD_PIECES, THIRD_SHARE * len(three)):
        return three
    return two


def log_odds_of_two(unit: Embeddings, labels: npt.NDArray[np.int_], seconds: npt.NDArray[np.floating[Any]]) -> float:
    """The log odds of two speakers, from the embeddings [n, dimension] of unit length, the group of each (0 or 1) and its seconds."""
    return APART["offset"] + sum(APART[name] * value for name, value in apartness(unit, labels, seconds).items())


def apartness(unit: Embeddings, labels: npt.NDArray[np.int_], seconds: npt.NDArray[np.floating[Any]]) -> dict[str, float]:
    """The features that distinguish two speakers from one voice, see `APART`."""
    centres = _centres(unit, labels, np.ones(len(unit)), 2)
    of_each = np.bincount(labels, weights=seconds, minlength=2)
    return {
        "cosine": float(centres[0] @ centres[1]),
        "log_pieces": float(np.log(min(len(unit), MOST_PIECES))),
        "share": min(float(of_each.min() / of_each.sum()), MOST_SHARE),
        "log_seconds": float(np.log(min(float(of_each.min()), MOST_SECONDS))),
    }


def learned_pieces(pieces: Sequence[VoiceSegment], embeddings: Mapping[int, Embeddings]) -> list[int]:
    """The indices of the pieces that define the voices: those long enough, or all that have an embedding where fewer than two are."""
    learned = [n for n in embeddings if pieces[n].last - pieces[n].first >= LEARNED_FRAMES]
    return learned if len(learned) >= 2 else list(embeddings)


def speakers_of_pieces(pieces: Sequence[VoiceSegment], embeddings: Mapping[int, Embeddings]) -> dict[int, int]:
    """The voice of each piece of one person, by the piece's index; `embeddings` has those of pieces long enough to have one."""
    if not embeddings:
        return {n: 0 for n, piece in enumerate(pieces) if not piece.is_overlap}
    unit = {n: e / np.linalg.norm(e) for n, e in embeddings.items()}
    learned = learned_pieces(pieces, embeddings)
    if len(learned) > MOST_LEARNED:
        learned = [learned[int(n)] for n in np.linspace(0, len(learned) - 1, MOST_LEARNED)]
    stacked = np.stack([unit[n] for n in learned])
    lengths = np.array([pieces[n].last - pieces[n].first for n in learned], float)
    labels = voices_in_call(stacked, lengths / FRAMES_A_SECOND)
    count = int(labels.max()) + 1
    speakers: dict[int, int] = {}
    for _ in range(ITERATIONS):
        speakers = _cheapest_path(pieces, unit, _centres(stacked, labels, lengths, count))
        labels = np.array([speakers[n] for n in learned])
    return speakers


def stretches_of(pieces: Sequence[VoiceSegment], speakers: Mapping[int, int]) -> list[tuple[int, int, int]]:
    """First frame, last frame (exclusive) and speaker of each stretch, ordered by start.

    Overlapping speech is assigned to the voices before and after it; in a call of two it can only be both.
    """
    count = max(speakers.values(), default=0) + 1
    placed: list[tuple[int, int, int]] = []
    for n, piece in enumerate(pieces):
        if not piece.is_overlap:
            placed.append((piece.first, piece.last, speakers[n]))
            continue
        before = next((speakers[k] for k in range(n - 1, -1, -1) if k in speakers), None)
        after = next((speakers[k] for k in range(n + 1, len(pieces)) if k in speakers), None)
        here = {s for s in (before, after) if s is not None} or {0}
        if len(here) == 1 and count == 2:
            here = {0, 1}
        placed += [(piece.first, piece.last, s) for s in here]
    joined: list[tuple[int, int, int]] = []
    open_at: dict[int, int] = {}
    for first, last, speaker in sorted(placed):
        at = open_at.get(speaker)
        if at is not None and first <= joined[at][1]:
            joined[at] = (joined[at][0], max(joined[at][1], last), speaker)
        else:
            open_at[speaker] = len(joined)
            joined.append((first, last, speaker))
    return joined


def _centres(unit: Embeddings, labels: npt.NDArray[np.int_], weights: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """The mean embedding of each voice, of unit length; zeros for a voice that lost all its pieces, which then attracts none."""
    sums = np.stack([(unit[labels == k] * weights[labels == k, None]).sum(axis=0) for k in range(count)])
    centres: npt.NDArray[np.float64] = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return centres


def _cheapest_path(pieces: Sequence[VoiceSegment], unit: Mapping[int, Embeddings], centres: npt.NDArray[np.float64]) -> dict[int, int]:
    """The voice of each piece: similar to its embedding, changes preferred at pauses; one without an embedding follows its neighbours."""
    single = [n for n, piece in enumerate(pieces) if not piece.is_overlap]
    cost = np.zeros(len(centres))
    back: list[npt.NDArray[np.int_]] = []
    for at, n in enumerate(single):
        paused = at > 0 and pieces[n].first - pieces[single[at - 1]].last >= PAUSE_FRAMES
        change = CHANGE_AT_PAUSE if paused else CHANGE_INSIDE
        best = int(cost.argmin())
        came = np.where(cost <= cost[best] + change, np.arange(len(cost)), best)
        cost = np.minimum(cost, cost[best] + change)
        if n in unit:
            seconds = (pieces[n].last - pieces[n].first) / FRAMES_A_SECOND
            cost = cost + DISSIMILARITY_COST * min(1.0, seconds) * (1 - centres @ unit[n])
        back.append(came)
    path = [int(cost.argmin())]
    for came in reversed(back[1:]):
        path.append(int(came[path[-1]]))
    return dict(zip(single, reversed(path), strict=True))
