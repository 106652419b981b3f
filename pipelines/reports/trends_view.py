"""What the page of trends shows of each outcome: names in the reader's language, the change in words, and what contributed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from pipelines.core.period import Period
from pipelines.i18n.wording import Wording
from pipelines.reports.presenters import Presenter
from pipelines.reports.trend_charts import SmallChart, draw
from pipelines.trends.cells import MEASURES, SCORE
from pipelines.trends.centre_trends import Outcome, Trends
from pipelines.trends.decomposition import Contribution, Decomposition
from pipelines.trends.significance import Tested
from pipelines.trends.week_changes import change_of

TOP = 3  # contributors named beside a change
_GROUPS = {"topic": "topics", "line": "lines"}


@dataclass(frozen=True, slots=True)
class NamedContribution:
    """A contribution with its name, and the page of the operator where it is one."""

    name: str
    href: str | None
    of: Contribution


@dataclass(frozen=True, slots=True)
class NamedParts:
    """The decomposition by one factor; `top` are the levels to name, empty where all changed alike."""

    factor: str
    parts: Decomposition
    top: tuple[NamedContribution, ...]
    levels: tuple[NamedContribution, ...]


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """An outcome as the page shows it; `change` is worse, better, same or few (too few calls to say)."""

    title: str
    outcome: Outcome
    change: str
    chart: SmallChart
    parts: tuple[NamedParts, ...]
    calls_href: str | None


@dataclass(frozen=True, slots=True)
class LineChange:
    """A change on one line only."""

    title: str
    line: str
    change: str
    tested: Tested
    outcome: Outcome


class TrendsPresenter:
    """Presents the trends of one centre in one language; `calls` makes the address of a list of calls from its filters."""

    def __init__(self, trends: Trends, shown: Presenter, calls: Callable[[Mapping[str, str]], str]) -> None:
        self.trends, self.shown, self.w, self._calls = trends, shown, shown.w, calls

    def parts(self, parts: Sequence[Decomposition]) -> list[NamedParts]:
        """A decomposition by every factor, with the names of its levels."""
        return [self._parts(p) for p in parts]

    def outcomes(self) -> list[OutcomeView]:
        """All outcomes: those that changed first, then the score, the criteria in the order of the scorecard, and the measures."""
        changed = {o.name: n for n, o in enumerate(self.trends.changed)}
        order = {c.criterion_id: n for n, c in enumerate(self.shown.profile.scorecard.criteria)} if self.shown.profile else {}
        places = {SCORE: -1} | order | {name: len(order) + 1 + n for n, name in enumerate(MEASURES)}
        last = len(order)
        return [
            self.view(o)
            for o in sorted(self.trends.outcomes, key=lambda o: (changed.get(o.name, len(changed)), places.get(o.name, last), o.name))
        ]

    def view(self, outcome: Outcome) -> OutcomeView:
        """One outcome."""
        href = None
        if outcome.is_criterion:
            href = self.calls_of(criterion=outcome.name, verdict="fail", sort="score")
        return OutcomeView(self.title(outcome), outcome, change_of(outcome), draw(outcome), tuple(self.parts(outcome.parts)), href)

    def lines(self) -> list[LineChange]:
        """The changes on single lines of what did not change in the whole centre."""
        return [
            LineChange(self.title(o), self.w.label("lines", line), "worse" if o.is_worse(t) else "better", t, o)
            for o, line, t in self.trends.changed_lines
        ]

    def names(self, most: int) -> list[str]:
        """The first outcomes that changed: criteria, or where none did, others."""
        changed = [o for o in self.trends.changed if o.is_criterion] or self.trends.changed
        return [self.title(o) for o in changed[:most]]

    def title(self, outcome: Outcome) -> str:
        """The name of an outcome."""
        if outcome.name == SCORE:
            return self.w("score")
        return self.w(f"{outcome.name}_share") if outcome.name in MEASURES else self.shown.title(outcome.name)

    def calls_of(self, **filters: str) -> str:
        """The address of the list of the calls of the chosen period."""
        period = self.trends.period
        return self._calls({"centre": str(self.shown.centre["centre_id"]), **filters, "from": str(period.first), "to": str(period.last)})

    def _parts(self, parts: Decomposition) -> NamedParts:
        levels = tuple(self._named(c) for c in parts.levels)
        top = () if parts.is_even else tuple(self._named(c) for c in parts.top(TOP) if c.stands_out)
        return NamedParts(parts.factor, parts, top, levels)

    def _named(self, c: Contribution) -> NamedContribution:
        if c.factor == "operator":
            href = self.shown.links.operator(str(self.shown.centre["centre_id"]), c.level) if c.level else None
            return NamedContribution(c.level or self.w("unknown"), href, c)
        return NamedContribution(self.w.label(_GROUPS[c.factor], c.level), None, c)


def period_label(period: Period, w: Wording) -> str:
    """A period in words: a month by its name, others by their days."""
    if period.kind == "month":
        return w.month(period.first)
    return w.date(period.first) if period.first == period.last else w.period(period.first, period.last)


def period_query(period: Period, without: Collection[str] = (), **more: str | None) -> str:
    """The query of a URL for a period, without some of its parameters and with further ones."""
    own = {name: value for name, value in period.query().items() if name not in without}
    return urlencode(own | {name: value for name, value in more.items() if value is not None})
