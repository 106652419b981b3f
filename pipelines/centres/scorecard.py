"""The models of a scorecard: its criteria, the evidence that answers each, and the calls that each applies to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from models.languages.language import ACTS
from pipelines.centres.vocabulary import ByLanguage, Examples, Phrases, Sentences
from pipelines.core.validation import FileModel, OneOf, wrong

RULES = (
    "said", "not_said", "identified", "hold_announced", "hold_thanked", "farewell", "abuse_procedure", "good_impression", "request_taken",
    "question",
)  # fmt: skip
WHERE = ("opening", "anywhere")
ASKS = ("operator", "client")
ANSWERS = ("yes", "no", "not_applicable")
VERDICTS = ("pass", "fail", "na", "unsure")
SEVERITIES = ("minor", "major", "critical")
DIRECTIONS = ("inbound", "callback", "outbound")


def _date(value: str) -> str:
    try:
        date.fromisoformat(value)
    except ValueError:
        raise wrong(f"effective_from {value!r} is no date: write it as YYYY-MM-DD, such as 2026-12-31") from None
    return value


class Applies(FileModel):
    """The conditions under which a criterion applies to a call; all that are given must hold."""

    topics: tuple[str, ...] = ()
    """Applies only to calls about one of these topics."""
    except_topics: tuple[str, ...] = ()
    """Does not apply to calls about one of these topics."""
    directions: tuple[Annotated[str, OneOf(DIRECTIONS)], ...] = ()
    """Applies only to calls in one of these directions."""
    lines: tuple[str, ...] = ()
    """Applies only to calls on one of these lines."""
    is_night: bool | None = Field(default=None, alias="night")
    """true: applies only outside the hours of the full service; false: only within them."""
    upset_client: bool | None = None
    """true: applies only where the client is upset, by the topic or by two or more negative turns; false: only where not."""
    rude_client: bool | None = None
    """true: applies only where the client is abusive or has two or more negative turns; false: only where not."""
    considerate_client: bool | None = None
    """true: applies only where the client sounds pleased and is not abusive; false: only where not."""
    unless_ended_by_abuse: bool = False
    """true: does not apply where the call ended over abuse."""


class Criterion(FileModel):
    """A weighted question and the evidence that answers it. A field that a scorecard omits comes from criteria.yaml."""

    criterion_id: str = Field(alias="id")
    """The name of the criterion in criterion_results; one of criteria.yaml, or one of your own with its rule, weight, title and description."""
    rule: Annotated[str, OneOf(RULES)]
    """How the verdict is determined; docs/scorecards.md describes each rule. `said` and `not_said` need acts, phrases or said_like."""
    weight: float = Field(ge=0, le=100)
    """The points of the criterion; a score is points earned divided by points decided."""
    title: ByLanguage
    """A few words by language, for pages and tables."""
    description: ByLanguage
    """What the operator is expected to do, by language, in one sentence."""
    acts: tuple[Annotated[str, OneOf(ACTS)], ...] = ()
    """Speech acts of models/languages/<language>.yaml that answer the question."""
    phrases: Phrases = Field(default_factory=dict)
    """Phrases of this centre's own by language, as patterns over dictionary forms; docs/scorecards.md lists the signs."""
    said_like: Examples = ()
    """Sentences that answer the question, as operators say them: five to ten, in the languages of the calls. Others that do the same are found."""
    not_like: Examples = ()
    """Similar sentences that do not answer it."""
    where: Annotated[str, OneOf(WHERE)] = "anywhere"
    """Where the words are searched: `opening` is the operator's first two turns."""
    question: Sentences = Field(default_factory=dict)
    """With the rule `question`: what a language model is asked about the call, by language, so that yes or no answers it; see docs/questions.md."""
    answers: Mapping[Annotated[str, OneOf(ANSWERS)], Annotated[str, OneOf(VERDICTS)]] = Field(default_factory=dict)
    """The verdict for each answer to the question, where it differs from yes: pass, no: fail, not_applicable: na."""
    applies_if: Sentences = Field(default_factory=dict)
    """When the question applies, by language; where this is not so in a call, its answer is not_applicable."""
    asks: Annotated[str, OneOf(ASKS)] = "operator"
    """Whose words must prove the answer to the question."""
    is_auto_fail: bool = Field(default=False, alias="auto_fail")
    """true: a fail makes the score of the whole call 0."""
    severity: Annotated[str, OneOf(SEVERITIES)] = "minor"
    """The severity of a fail; a critical criterion that is unsure requires a review."""
    applies: Applies = Field(default_factory=Applies)
    """The calls that the criterion applies to; all when omitted."""
    clip_worthy: bool = True
    """Whether coaching clips are extracted for it."""
    least_trust: float = Field(default=0.6, ge=0, le=2)
    """How well (0 to 1) the searched words must be recognised before their absence is a fail; above 1: absence never is."""
    na_below: float = Field(default=0.5, ge=0, le=0.7)
    """With a probability of being applicable above this, the verdict is never `na`."""

    @model_validator(mode="after")
    def _has_words(self) -> Self:
        if self.rule in ("said", "not_said") and not (self.acts or self.phrases or self.said_like):
            raise wrong(f"criterion {self.criterion_id!r} with rule {self.rule!r} needs acts, phrases or said_like to look for")
        if self.not_like and not self.said_like:
            raise wrong(f"criterion {self.criterion_id!r} has not_like without said_like: there is nothing to tell it from", "not_like")
        return self

    @model_validator(mode="after")
    def _has_a_question(self) -> Self:
        if self.rule == "question" and not self.question:
            raise wrong(f"criterion {self.criterion_id!r} with rule 'question' needs a question, such as {{en: Did the operator ...?}}")
        if self.rule != "question" and (self.question or self.answers or self.applies_if):
            raise wrong(f"criterion {self.criterion_id!r} has a question, answers or applies_if, which belong to the rule 'question'")
        return self

    def verdict_of(self, answer: str) -> str:
        """The verdict for an answer to the question: pass, fail, na or unsure."""
        return self.answers.get(answer) or default_verdict(answer)


def default_verdict(answer: str) -> str:
    """The verdict for an answer to a question whose criterion gives no other."""
    return {"yes": "pass", "no": "fail"}.get(answer, "na")


class Scorecard(FileModel):
    """A versioned set of criteria with its owner and effective date."""

    scorecard_id: str = Field(alias="id")
    """The name of the scorecard in the warehouse."""
    version: str
    """Increase it with every change, so that results identify their rules."""
    owner: str
    """The owner of the scorecard."""
    effective_from: Annotated[str, AfterValidator(_date)] = Field(json_schema_extra={"format": "date"})
    """The effective date of this version, as YYYY-MM-DD."""
    criteria: tuple[Criterion, ...] = Field(min_length=1)
    """The criteria of the scorecard; the weights need not add up to 100."""
    review_below_coverage_pct: float = Field(default=60.0, ge=0, le=100)
    """An evaluation needs a review when a smaller percentage of its applicable points could be decided."""

    @model_validator(mode="after")
    def _are_different(self) -> Self:
        seen: set[str] = set()
        for n, criterion in enumerate(self.criteria):
            if criterion.criterion_id in seen:
                raise wrong(f"criterion {criterion.criterion_id!r} is listed twice in this scorecard", "criteria", n, "id")
            seen.add(criterion.criterion_id)
        return self
