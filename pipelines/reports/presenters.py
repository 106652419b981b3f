"""View models for the templates: names and dates in the page's language, and links for this kind of page.

Static pages and pages of the server differ only in their `Links` and their layout.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pipelines.centres.profile import Centre, centre_in_version, load_centre
from pipelines.core.profile_files import centre_ids
from pipelines.core.published import Published, Row
from pipelines.i18n.wording import Wording
from pipelines.queries import call_details, scorecards
from pipelines.reviews import blind


@dataclass(frozen=True, slots=True)
class Links:
    """The locations of pages and sounds, from the root of the pages."""

    centre: Callable[[str], str]
    operator: Callable[[str, str], str]
    call: Callable[[str], str]
    sound: Callable[[Row], str]  # of a row of coaching_clips
    scorecard: Callable[[str], str] | None = None  # of a centre; None where pages have no scorecards
    calls: Callable[[Mapping[str, str]], str] | None = None  # the list of calls with filters; None where there is no such list


class Presenter:
    """Presents one centre's rows for a page in one language."""

    def __init__(
        self,
        centre_id: str,
        w: Wording,
        links: Links,
        judged: Callable[[Sequence[Row]], Sequence[Row]] | None = None,
        withheld: Container[str] = frozenset(),
    ) -> None:
        self.w, self.links, self._judged = w, links, judged  # `judged` resolves human verdicts that are not published yet
        self._withheld = withheld  # the calls that the reader must still judge blind
        self.profile: Centre | None = load_centre(centre_id) if centre_id in centre_ids() else None
        self.titles = _titles(self.profile, w)
        self.centre: Row = {
            "centre_id": centre_id,
            "name": self.profile.name if self.profile else centre_id,
            "href": links.centre(centre_id),
            "scorecard": links.scorecard(centre_id) if links.scorecard and self.profile else None,
            "calls": self.calls_link if links.calls else None,
        }

    def calls_link(self, **filters: str) -> str:
        """The location of the list of this centre's calls with some filters; empty where pages have no such list."""
        return self.links.calls({"centre": str(self.centre["centre_id"]), **filters}) if self.links.calls else ""

    def in_version(self, version: str | None) -> Presenter:
        """The same with the criteria of a version of the scorecard: that which judged the call of a page."""
        if self.profile is None or version in (None, self.profile.scorecard.version):
            return self
        found = copy(self)
        found.profile = centre_in_version(str(self.centre["centre_id"]), version)
        found.titles = _titles(found.profile, self.w)
        return found

    def title(self, criterion_id: str, version: str | None = None) -> str:
        """A criterion's name, from the centre or else the common one: as in the version that judged a call, or else the newest one."""
        if version is not None:
            return self.in_version(version).title(criterion_id)
        return self.titles.get(criterion_id) or self.w.label("criteria", criterion_id)

    def named(self, rows: Sequence[Row]) -> list[Row]:
        """Rows of criteria with their names."""
        return [row | {"title": self.title(row["criterion_id"])} for row in rows]

    def calls(self, rows: Sequence[Row]) -> list[Row]:
        """Rows of a list of calls."""
        counted = blind.conceal(self._judged(rows) if self._judged else rows, self._withheld)
        return [{"people": []} | c | {"href": self.links.call(c["call_id"]), "when": self.w.time(c["started_local"])} for c in counted]

    def clips(self, rows: Sequence[Row], versions: Mapping[str, str]) -> list[Row]:
        """Rows of coaching_clips; `versions` are those that judged their calls, see `call_details.versions_of`."""
        return [
            c | {
                "title": self.title(c["criterion_id"], versions.get(c["call_id"])), "href": self.links.call(c["call_id"]), "sound": self.links.sound(c),
                "until": self.w.date(c["expires_at"]),
            }
            for c in blind.without(rows, self._withheld)
        ]  # fmt: skip

    def operators(self, rows: Sequence[Row]) -> list[Row]:
        """Rows of operators."""
        return [o | {"href": self.links.operator(str(self.centre["centre_id"]), o["operator_id"])} for o in rows]

    def answers(self, published: Published, criteria: Sequence[Row], graded: list[Row] | None = None) -> list[scorecards.QuestionCard]:
        """The cards of a centre's questions, from its graded calls where already read; none for a centre without a profile."""
        if self.profile is None:
            return []
        counted: Mapping[str, Row] = {row["criterion_id"]: row for row in criteria}
        graded = scorecards.read_graded(published, str(self.centre["centre_id"])) if graded is None else graded
        return scorecards.answers(scorecards.QuestionScope(self.profile, graded, counted, self.titles, self.w))

    def call(self, call: Row, rows: Mapping[str, list[Row]]) -> dict[str, Any]:
        """The values of call.html for one graded call and its rows of `call_details.VIEWS`."""
        version = next((evaluation["scorecard_version"] for evaluation in rows["evaluations"]), None)
        values = call_details.show(call, rows, self.w, self.in_version(version).titles)
        zone = self.profile.timezone if self.profile else ZoneInfo("UTC")
        evaluated = values["evaluation"]["evaluated_at"].astimezone(zone) if values["evaluation"] else None
        operator = call["operator_id"]
        return values | {
            "centre": self.centre,
            "when": self.w.time(call["started_local"]),
            "evaluated": self.w.time(evaluated),
            "operator_href": self.links.operator(str(self.centre["centre_id"]), operator) if operator else None,
            "clips": self.clips(rows["coaching_clips"], {call["call_id"]: version} if version else {}),
        }


def _titles(profile: Centre | None, w: Wording) -> dict[str, str]:
    criteria = profile.scorecard.criteria if profile else ()
    return {c.criterion_id: title for c in criteria if (title := c.title.get(w.code) or c.title.get("en"))}


def period(row: Row, w: Wording) -> str:
    """The days from the first to the last call."""
    return w.period(row["first_day"], row["last_day"])
