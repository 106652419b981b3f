"""Searches one week of a centre's calls for new reasons for calling."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from models.text.sentence_encoder import get_sentence_encoder
from pipelines.app_db.database import AppDatabase, Row, open_store
from pipelines.centres.profile import load_centre
from pipelines.core.profile_files import centre_ids
from pipelines.core.published import Published, open_published
from pipelines.core.settings import Settings, now
from pipelines.discovery import reasons
from pipelines.discovery.names import distinguishing_words
from pipelines.discovery.openings import CountedCalls, Opening, openings, received, sampled
from pipelines.discovery.reasons import FoundReason
from pipelines.discovery.scan import new_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Encoder = Callable[[Sequence[str]], NDArray[np.float32]]

log = logging.getLogger("callgrade")
DAYS = 7
WEEKS_BEFORE = 8
MOST_NEW, MOST_EARLIER = 1000, 3000  # calls that are compared: more cost time, and show no smaller groups that matter
LEAST_NEW, LEAST_EARLIER = 30, 100  # fewer calls cannot tell
# Similarity of two groups' mean openings, less what all calls have in common, from which they are one reason. Different topics of one writer: 0.29
# or less in 99 of 100 pairs of four calls each.
SAME_REASON = 0.4
DOUBLED = 2.0  # a reason that was listed before comes back when its share has grown so much


@dataclass(frozen=True, slots=True)
class SearchedWeek:
    """What was searched, and what was found; `too_few` where the calls cannot tell."""

    centre_id: str
    first_day: date
    last_day: date
    calls: int
    found: tuple[FoundReason, ...]
    too_few: bool = False


def last_week(today: date) -> tuple[date, date]:
    """The latest whole week, from Monday to Sunday."""
    monday = today - timedelta(days=today.weekday() + DAYS)
    return monday, monday + timedelta(days=DAYS - 1)


def discover(settings: Settings, centre_id: str | None = None, last_day: date | None = None) -> list[SearchedWeek]:
    """Search the week of each centre with a profile that ends on a day (the latest whole week by default) and store what is new.

    Raises MisconfiguredError when nothing is published yet, or the centre has no profile.
    """
    if centre_id is not None:
        load_centre(centre_id)  # raises the error that names the nearest centre
    store, searched = open_store(settings), list[SearchedWeek]()
    with open_published(settings) as published:
        called = {row["centre_id"] for row in published.rows("select distinct centre_id from calls where status = 'graded'")}
        for one in [centre_id] if centre_id is not None else sorted(called & set(centre_ids())):
            days = (
                (last_day - timedelta(days=DAYS - 1), last_day)
                if last_day
                else last_week(now().astimezone(load_centre(one).timezone).date())
            )
            encoder = get_sentence_encoder(settings.profile, settings.models_dir).vectors
            searched.append(search_week(published, store, encoder, one, *days))
            log.info("discovery: %s, %s to %s: %d new reasons", one, *days, len(searched[-1].found))
    return searched


def search_week(
    published: Published, store: AppDatabase, encoder: Encoder, centre_id: str, first_day: date, last_day: date
) -> SearchedWeek:
    """Search one week of a centre, and store what is new in it.

    Only calls that fit no topic are compared, at most `MOST_NEW` of the week and `MOST_EARLIER` of the weeks before, drawn by chance.
    """
    week = received(published, centre_id, first_day, last_day)
    before = received(published, centre_id, first_day - timedelta(weeks=WEEKS_BEFORE), first_day - timedelta(days=1))
    new, compared = _drawn(published, week, MOST_NEW, f"{centre_id} {first_day}")
    old, earlier_compared = _drawn(published, before, MOST_EARLIER, f"{centre_id} {first_day}")
    if len(new) < LEAST_NEW or len(old) < LEAST_EARLIER:
        reasons.replace_week(store, centre_id, first_day, last_day, ())
        return SearchedWeek(centre_id, first_day, last_day, week.total, (), too_few=True)
    everything = [*new, *old]
    vectors = encoder([one.words for one in everything])
    is_new = np.arange(len(everything)) < len(new)
    found = []
    for group in new_groups(vectors, is_new):
        members = [new[n] for n in group.members]
        others = [one for n, one in enumerate(everything) if n not in set(group.members)]
        words = distinguishing_words(members, others)
        reason = FoundReason(
            words, tuple((one.call_id, one.turn_no) for one in members), compared, group.earlier, earlier_compared, group.p_value
        )
        if words and not _is_known(published, store, encoder, reasons.known(store, centre_id, first_day), reason, members, vectors.mean(0)):
            found.append(reason)
    reasons.replace_week(store, centre_id, first_day, last_day, found)
    return SearchedWeek(centre_id, first_day, last_day, week.total, tuple(found))


def _drawn(published: Published, calls: CountedCalls, most: int, seed: str) -> tuple[list[Opening], int]:
    """Openings of calls without a topic, and the number of all calls that they stand for."""
    drawn = sampled(calls.unexplained, most, seed)
    share = len(drawn) / max(len(calls.unexplained), 1)
    return openings(published, drawn), round(calls.total * share)


def _is_known(
    published: Published, store: AppDatabase, encoder: Encoder, known: Sequence[Row], found: FoundReason, members: Sequence[Opening],
    common: NDArray[np.float32],
) -> bool:  # fmt: skip
    """Whether the same reason was listed in another week or decided on, and it has not doubled since; `common` is the mean vector of all calls."""
    mean = _mean(encoder, members, common)
    for reason in known:
        calls = [row["call_id"] for row in reasons.calls_of(store, [reason["reason_id"]])]
        before = openings(published, calls)
        share, was = len(found.calls) / max(found.compared, 1), reason["calls"] / max(reason["compared"], 1)
        if before and float(mean @ _mean(encoder, before, common)) >= SAME_REASON and share < DOUBLED * was:
            return True
    return False


def _mean(encoder: Encoder, some: Sequence[Opening], common: NDArray[np.float32]) -> NDArray[np.float32]:
    found = encoder([one.words for one in some]).mean(0) - common
    unit: NDArray[np.float32] = found / max(float(np.linalg.norm(found)), 1e-9)
    return unit
