"""Cache of aggregates over all calls for pages: each is computed once per published copy, ahead of the first request."""

from __future__ import annotations

from datetime import date
from functools import partial

from pipelines.centres.profile import load_centre
from pipelines.core.period import Period, latest
from pipelines.core.profile_files import centre_ids
from pipelines.core.published import Row
from pipelines.i18n.wording import LANGUAGES, wording
from pipelines.queries import aggregates, scorecards, trends
from pipelines.queries.snapshot import SnapshotReader
from pipelines.reports.presenters import Presenter
from pipelines.reviews import evaluations
from pipelines.trends.centre_trends import Trends, read_trends
from pipelines.web.request_context import LINKS

LEDGER_SHOWN, CALLS_SHOWN, CLIPS_SHOWN = 50, 20, 6  # on the page of a centre


def totals(published: SnapshotReader) -> list[Row]:
    """The totals of every centre."""
    return published.once("totals", lambda: [t for t in aggregates.centres(published) if t["centre_id"] is not None])


def weeks(published: SnapshotReader, centre_id: str) -> list[Row]:
    """The latest weeks of a centre with calls, oldest first."""
    return published.once("weeks", lambda: trends.weeks(published)).get(centre_id, [])[-trends.WEEKS_SHOWN :]


def criteria(published: SnapshotReader, centre_id: str) -> list[Row]:
    """Counts of passed and failed verdicts per criterion of a centre."""
    return published.once(("criteria", centre_id), partial(aggregates.criteria, published, centre_id))


def topics(published: SnapshotReader, centre_id: str) -> list[Row]:
    """The topics of a centre's calls."""
    return published.once(("topics", centre_id), partial(aggregates.topics, published, centre_id))


def first_calls(published: SnapshotReader, centre_id: str) -> list[Row]:
    """The calls of a centre that most need a person's attention."""
    return published.once(("first calls", centre_id), partial(aggregates.calls, published, centre_id, limit=CALLS_SHOWN))


def ledger(published: SnapshotReader, centre_id: str) -> list[Row]:
    """The calls of a centre that could not be graded."""
    return published.once(("ledger", centre_id), partial(aggregates.ledger, published, centre_id, LEDGER_SHOWN))


def clips(published: SnapshotReader, centre_id: str) -> list[Row]:
    """The first coaching clips of a centre."""
    return published.once(("clips", centre_id), partial(aggregates.clips, published, centre_id, limit=CLIPS_SHOWN))


def answers(published: SnapshotReader, shown: Presenter, graded: list[Row] | None = None) -> list[scorecards.QuestionCard]:
    """The cards of a centre's questions in a language."""
    centre_id = str(shown.centre["centre_id"])
    return published.once(
        ("answers", centre_id, shown.w.code), lambda: shown.answers(published, shown.named(criteria(published, centre_id)), graded)
    )


def undecided(published: SnapshotReader, centre_id: str) -> list[Row]:
    """The calls of a centre with points that only a person can decide."""
    return published.once(("unsure", centre_id), partial(evaluations.undecided, published, centre_id))


def critical(published: SnapshotReader, centre_id: str) -> list[Row]:
    """The calls of a centre with a critical failure."""
    return published.once(("critical", centre_id), partial(evaluations.critical, published, centre_id))


def newest_day(published: SnapshotReader, centre_id: str) -> date | None:
    """The local day of a centre's last call; None where no call has a time."""
    day: date | None = next((t["last_day"] for t in totals(published) if t["centre_id"] == centre_id), None)
    return day


def trends_in(published: SnapshotReader, centre_id: str, period: Period) -> Trends:
    """The trends of a centre in a period; those of any dates are not cached, so that the size of the cache has a bound."""
    first, newest = _first_day(published, centre_id), newest_day(published, centre_id)
    if first is None or newest is None or period.kind == "custom" or not first <= period.last <= newest:
        return read_trends(published, centre_id, period)
    return published.once(("trends", centre_id, period), partial(read_trends, published, centre_id, period))


def _first_day(published: SnapshotReader, centre_id: str) -> date | None:
    day: date | None = next((t["first_day"] for t in totals(published) if t["centre_id"] == centre_id), None)
    return day


def latest_week(published: SnapshotReader, centre_id: str) -> Trends | None:
    """The trends of a centre in its latest complete week; None where no call has a time."""
    newest = newest_day(published, centre_id)
    return trends_in(published, centre_id, latest("week", newest)) if newest else None


def latest_month(published: SnapshotReader, centre_id: str) -> Trends | None:
    """The same for the latest complete month."""
    newest = newest_day(published, centre_id)
    return trends_in(published, centre_id, latest("month", newest)) if newest else None


def operators(published: SnapshotReader, centre_id: str) -> list[Row]:
    """The operators of a centre over all published calls."""
    return published.once("operators", lambda: aggregates.operators(published))[centre_id]


def operators_criteria(published: SnapshotReader, centre_id: str) -> dict[str, list[Row]]:
    """Counts of verdicts per criterion for each operator of a centre."""
    return published.once(("criteria_by_operator", centre_id), partial(aggregates.criteria_by_operator, published, centre_id))


def operators_calls(published: SnapshotReader, centre_id: str, operator_id: str, most: int) -> list[Row]:
    """The first calls of an operator, those that need attention on top."""
    key = ("calls of an operator", centre_id, operator_id, most)
    return published.once(key, partial(aggregates.calls, published, centre_id, operator_id, most))


def operators_clips(published: SnapshotReader, centre_id: str, operator_id: str) -> list[Row]:
    """The first coaching clips of an operator."""
    key = ("clips of an operator", centre_id, operator_id)
    return published.once(key, partial(aggregates.clips, published, centre_id, operator_id, CLIPS_SHOWN))


def warm(published: SnapshotReader) -> None:
    """Compute everything that is not specific to an operator: the most requested values."""
    for centre_id in centre_ids():
        load_centre(centre_id)
    centres = [str(total["centre_id"]) for total in totals(published)]
    for centre_id in centres:
        for make in (weeks, criteria, topics, first_calls, ledger, clips, undecided, critical, latest_week, latest_month):
            make(published, centre_id)
        graded = scorecards.read_graded(published, centre_id)  # read once for all languages
        for code in LANGUAGES:
            answers(published, Presenter(centre_id, wording(code), LINKS), graded)
    for centre_id in centres:
        operators(published, centre_id)
        operators_criteria(published, centre_id)
