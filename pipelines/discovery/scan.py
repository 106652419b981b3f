"""Finds groups of similar calls that one week has more of than the weeks before: a tree-based scan statistic.

All calls, of both periods, are clustered by average linkage; every cluster of the tree is a candidate. Its statistic is the likelihood
ratio of Kulldorff's Bernoulli model: how much likelier its calls of the week are at a rate of its own than at that of all calls. The
p-value of the best cluster comes from random permutations of the week among the calls, whose best clusters are searched alike: it
accounts for the number of clusters looked at. The tree does not know the week, so the permutations are exact.

Kulldorff (1997), A spatial scan statistic; Kulldorff, Fang and Walsh (2003), A tree-based scan statistic for database disease surveillance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

LEAST_MEMBERS = 4  # calls of the week in a group
LARGEST_SHARE = 0.15  # of all calls in a group: a larger one is no single reason
LEAST_GROWTH = 3.0  # times as many calls as expected from the weeks before
ALPHA = 0.01  # probability that a week without a new reason shows one
PERMUTATIONS = 999
MOST_GROUPS = 5


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A group of calls that the week has more of.

    `members` are the positions of its calls in the week, the most typical first; `earlier` is the number of its calls before, `expected`
    the number that the weeks before lead to expect in this one.
    """

    members: tuple[int, ...]
    earlier: int
    expected: float
    p_value: float


def new_groups(vectors: Vectors, is_new: NDArray[np.bool_], seed: int = 1) -> list[NewGroup]:
    """The groups of a week, the clearest first; empty for an ordinary week.

    Args:
        vectors: of the calls of the week and of the weeks before, [calls, width].
        is_new: whether a call is of the week, [calls].
        seed: of the permutations; the same input gives the same groups.
    """
    rng, found = np.random.default_rng(seed), list[NewGroup]()
    if not len(vectors):
        return found
    left = np.arange(len(vectors))
    plain = _centred(vectors)
    while len(found) < MOST_GROUPS and LEAST_MEMBERS <= is_new[left].sum() < len(left):
        best = _clearest(plain[left], is_new[left], rng)
        if best is None:
            break
        inside, p_value = best
        group = left[inside]
        new, earlier = group[is_new[group]], int((~is_new[group]).sum())
        expected = earlier * is_new.sum() / max(int((~is_new).sum()), 1)
        if len(new) >= LEAST_GROWTH * expected:
            typical = plain[new] @ plain[new].mean(0)
            found.append(NewGroup(tuple(int(one) for one in new[np.argsort(-typical, kind="stable")]), earlier, float(expected), p_value))
        left = np.setdiff1d(left, group)
    return found


def _centred(vectors: Vectors) -> Vectors:
    """Unit vectors without what all calls have in common."""
    plain = vectors - vectors.mean(0)
    found: Vectors = plain / np.maximum(np.linalg.norm(plain, axis=1, keepdims=True), 1e-9)
    return found


def _clearest(vectors: Vectors, is_new: NDArray[np.bool_], rng: np.random.Generator) -> tuple[NDArray[np.intp], float] | None:
    """The positions of the best cluster with its p-value; None where it is not significant."""
    order, first, last = _clusters(vectors)
    if not len(first):
        return None
    labels = np.empty((len(vectors), PERMUTATIONS + 1), bool)
    labels[:, 0] = is_new[order]
    for n in range(1, PERMUTATIONS + 1):
        labels[:, n] = rng.permutation(is_new)
    before = np.zeros((len(vectors) + 1, PERMUTATIONS + 1), np.int32)
    np.cumsum(labels, axis=0, out=before[1:])
    ratios = _log_likelihood_ratios(before[last] - before[first], (last - first)[:, None], float(is_new.mean()))
    best = ratios.max(0)
    p_value = (1 + int((best[1:] >= best[0]).sum())) / (PERMUTATIONS + 1)
    if best[0] <= 0 or p_value > ALPHA:
        return None
    cluster = int(ratios[:, 0].argmax())
    return order[first[cluster] : last[cluster]], p_value


def _clusters(vectors: Vectors) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The order of the leaves, in which each cluster is a run, and the runs (first, last + 1) of clusters of an admissible size."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import pdist

    count = len(vectors)
    tree = linkage(pdist(vectors, "sqeuclidean"), "average")  # of unit vectors: twice the cosine distance
    sizes = np.concatenate([np.ones(count, np.intp), tree[:, 3].astype(np.intp)])
    starts = np.zeros(2 * count - 1, np.intp)
    for n in range(len(tree) - 1, -1, -1):  # from the root down: the left branch begins where its parent does
        left, right = int(tree[n, 0]), int(tree[n, 1])
        starts[left], starts[right] = starts[count + n], starts[count + n] + sizes[left]
    inner = np.arange(count, 2 * count - 1)
    inner = inner[(sizes[inner] >= LEAST_MEMBERS) & (sizes[inner] <= LARGEST_SHARE * count)]
    return leaves_list(tree).astype(np.intp), starts[inner], starts[inner] + sizes[inner]


def _log_likelihood_ratios(new: NDArray[np.int32], sizes: NDArray[np.intp], rate: float) -> NDArray[np.float64]:
    """Of clusters with `new` calls of the week, [clusters, permutations]; 0 where a cluster has too few or no more than usual."""
    own = new / sizes
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(new > 0, new * np.log(own / rate), 0.0) + np.where(
            new < sizes, (sizes - new) * np.log((1 - own) / (1 - rate)), 0.0
        )
    found: NDArray[np.float64] = np.where((own > rate) & (new >= LEAST_MEMBERS), ratio, 0.0)
    return found
