"""Quality figures of graded calls compared with their references, for any selection of calls."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from models.languages.language import words_of
from pipelines.core.records import Finding
from pipelines.quality.reference import Reference, right_verdicts
from pipelines.quality.replay import JudgedCall
from pipelines.redact.step import MASKS
from pipelines.score.procedure import ACCUSING
from pipelines.turns.spoken_numbers import number_of
from pipelines.turns.words import items_of, vocabulary_for

SLACK_S = 0.5  # a finding this close to a turn of the reference belongs to it
NUMBERS = ("account", "card", "phone", "passport")
NAMES = ("name", "address")
MARKS: Mapping[str, frozenset[str]] = {  # criterion → marks of the reference, one of which must accompany a passing quote
    "greeting": frozenset({"greeting"}), "company_named": frozenset({"company"}), "operator_named": frozenset({"self_name"}),
    "client_identified": frozenset({"identify"}), "hold_announced": frozenset({"hold_ask"}), "hold_thanked": frozenset({"hold_thanks"}),
    "empathy_shown": frozenset({"empathy"}), "solution_given": frozenset({"solution"}), "self_service_offered": frozenset({"self_service"}),
    "anything_else": frozenset({"anything_else"}), "farewell": frozenset({"farewell", "end_notice"}), "night_rule": frozenset({"night_notice"}),
    "redirected": frozenset({"redirect"}), "callback_reason": frozenset({"callback_intro"}), "abuse_procedure": frozenset({"warn_abuse"}),
}  # fmt: skip
CLIENT_SENTIMENTS = ("negative", "neutral", "positive")


@dataclass(slots=True)
class Ratio:
    """A count out of a total."""

    part: int = 0
    whole: int = 0

    def add(self, counts: bool) -> None:
        """Add one observation."""
        self.part += counts
        self.whole += 1

    @property
    def value(self) -> float:
        """0 to 1; 1 where there was nothing to count."""
        return self.part / self.whole if self.whole else 1.0

    def __str__(self) -> str:
        return f"{self.part}/{self.whole}" if self.whole else "–"


@dataclass(slots=True)
class Figures:
    """The quality figures of some calls."""

    calls: int = 0
    criteria: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # n, decided, right, wrong_fail, wrong_pass
    procedure: Ratio = field(default_factory=Ratio)
    procedure_of_abusive: Ratio = field(default_factory=Ratio)
    abstained: int = 0  # procedures left open that a person could decide
    false_accusations: list[str] = field(default_factory=list)  # call ids
    abuse_true_positives: int = 0
    abuse_false_negatives: int = 0
    abuse_false_positives: int = 0
    evidence: Ratio = field(default_factory=Ratio)  # quotes that occur in their turn
    decided_without_evidence: int = 0
    readable_numbers: Ratio = field(default_factory=Ratio)  # accounts, cards, phones and passports that remain readable
    readable_names: Ratio = field(default_factory=Ratio)
    masked_numbers: Ratio = field(default_factory=Ratio)  # masked share of the numbers that are not personal data
    quotes_marked: Ratio = field(default_factory=Ratio)  # passes whose quote is in a turn that the reference marks for the criterion
    abuse_alarms: Ratio = field(default_factory=Ratio)  # share of the calls without abuse in which some was found
    confidence: Counter[tuple[int, str]] = field(default_factory=Counter)  # decided verdicts: (tenth of confidence, sum of what)
    sentiments: Counter[tuple[str, str]] = field(default_factory=Counter)  # the client's turns: (true, predicted)
    topic: Ratio = field(default_factory=Ratio)
    client_type: Ratio = field(default_factory=Ratio)

    @property
    def criteria_sum(self) -> Counter[str]:
        """The counts over all criteria."""
        return sum(self.criteria.values(), Counter())

    @property
    def right_of_decided(self) -> float:
        """The share of decided criteria that are right, 0 to 1."""
        return self.criteria_sum["right"] / max(self.criteria_sum["decided"], 1)

    @property
    def coverage(self) -> float:
        """The share of criteria that were decided, 0 to 1."""
        return self.criteria_sum["decided"] / max(self.criteria_sum["n"], 1)

    @property
    def calibration_error(self) -> float:
        """Expected calibration error of the decided verdicts: the mean gap between confidence and accuracy over ten bins, 0 to 1."""
        total = sum(n for (_, what), n in self.confidence.items() if what == "n")
        gaps = (abs(self.confidence[tenth, "right"] - self.confidence[tenth, "thousandths"] / 1000) for tenth in range(10))
        return sum(gaps) / max(total, 1)

    @property
    def abuse_f1(self) -> float:
        """Harmonic mean of precision and recall over abusive turns; 1 where there was no abuse and none was found."""
        wrong = self.abuse_false_negatives + self.abuse_false_positives
        return 2 * self.abuse_true_positives / (2 * self.abuse_true_positives + wrong) if self.abuse_true_positives or wrong else 1.0

    @property
    def sentiment_f1(self) -> float:
        """Mean F1 over the three sentiments of the client's turns."""
        scores = []
        for sentiment in CLIENT_SENTIMENTS:
            right = self.sentiments[sentiment, sentiment]
            named = sum(n for (true, read), n in self.sentiments.items() if sentiment in (true, read))
            scores.append(2 * right / (named + right) if named else 1.0)
        return sum(scores) / len(scores)


def figures_of(judged: Iterable[JudgedCall]) -> Figures:
    """The figures of some graded calls."""
    found = Figures()
    for one in judged:
        found.calls += 1
        _count_criteria(found, one)
        _count_procedure(found, one)
        _count_abuse(found, one)
        _count_evidence(found, one)
        _count_personal_data(found, one)
        for turn in one.reference["turns"]:
            if turn["role"] == "client" and (read := _predicted_sentiment(one, turn)):
                found.sentiments[turn["sentiment"], read] += 1
        _count_confidence(found, one)
        found.topic.add(one.scored.metrics.topic == one.reference["topic"])
        found.client_type.add(one.scored.metrics.client_type == one.reference["client_type"])
    return found


def grouped(judged: Sequence[JudgedCall]) -> dict[str, Figures]:
    """The figures over all calls, and over those of each language and each centre."""
    keys: list[tuple[str, Callable[[JudgedCall], str]]] = [("", lambda _: "all"), ("language ", _language), ("centre ", _centre)]
    names = {prefix + key(one): (key, key(one)) for prefix, key in keys for one in judged}
    return {name: figures_of(one for one in judged if key(one) == value) for name, (key, value) in names.items()}


def _language(one: JudgedCall) -> str:
    return str(one.reference["language"])


def _centre(one: JudgedCall) -> str:
    return str(one.reference["centre"])


def _count_criteria(found: Figures, one: JudgedCall) -> None:
    given = {v.criterion_id: v.verdict for v in one.scored.verdicts}
    for criterion, right in right_verdicts(one.reference).items():
        verdict = given.get(criterion)
        if right == "unsure" or verdict is None:
            continue
        found.criteria[criterion].update(
            n=1,
            decided=int(verdict != "unsure"),
            right=int(verdict == right),
            wrong_fail=int(verdict == "fail" != right),
            wrong_pass=int(verdict == "pass" != right),
        )


def _count_procedure(found: Figures, one: JudgedCall) -> None:
    right, outcome = one.reference["truth"]["abuse_procedure"], one.scored.procedure.outcome
    found.procedure.add(outcome == right)
    if right != "not_needed":
        found.procedure_of_abusive.add(outcome == right)
    found.abstained += outcome == "cannot_tell" != right
    if outcome in ACCUSING and right in ("not_needed", "calmed", "ended_after_warning", "client_hung_up"):
        found.false_accusations.append(one.call.call_id)


def _count_abuse(found: Figures, one: JudgedCall) -> None:
    abuse = [f for f in one.scored.findings if f.kind == "abuse"]
    used: list[Finding] = []
    for turn in one.reference["turns"]:
        if turn["abuse"] or "operator_abuse" in turn["marks"]:
            here = [f for f in abuse if f.role in (turn["role"], "unknown") and _meets(turn, f.start_s, f.end_s)]
            used += here
            found.abuse_true_positives += bool(here)
            found.abuse_false_negatives += not here
    found.abuse_false_positives += sum(f not in used for f in abuse)
    if not any(turn["abuse"] or "operator_abuse" in turn["marks"] for turn in one.reference["turns"]):
        found.abuse_alarms.add(bool(abuse))


def _meets(turn: Reference, start_s: float, end_s: float) -> bool:
    return bool(turn["start_s"] - SLACK_S < max(end_s, start_s + 0.1) and start_s < turn["end_s"] + SLACK_S)


def _count_evidence(found: Figures, one: JudgedCall) -> None:
    shown = {t.turn_no: t.displayed_text for t in one.turns}
    for verdict in one.scored.verdicts:
        if verdict.quote is not None:
            found.evidence.add(verdict.turn_no is not None and verdict.quote in shown.get(verdict.turn_no, ""))
        if verdict.verdict == "pass" and verdict.quote is not None and (marks := MARKS.get(verdict.criterion_id)):
            found.quotes_marked.add(
                any(_meets(t, verdict.start_s or 0.0, verdict.end_s or 0.0) and marks & set(t["marks"]) for t in one.reference["turns"])
            )
        found.decided_without_evidence += verdict.verdict in ("pass", "fail") and verdict.start_s is None


def _count_personal_data(found: Figures, one: JudgedCall) -> None:
    readable = {word for turn in one.turns for word in words_of(turn.text)}
    for turn in one.reference["turns"]:
        for said in turn["pii"]:
            words = [word for word in words_of(said["text"]) if len(word) > 2]
            if words:
                is_readable = sum(word in readable for word in words) > len(words) / 2
                (found.readable_numbers if said["kind"] in NUMBERS else found.readable_names).add(is_readable)
    hidden = [(token.start_s, token.end_s) for turn in one.turns for token in turn.tokens if token.text in MASKS]
    for turn in one.reference["turns"]:
        for start_s, end_s in _harmless_numbers(turn):
            found.masked_numbers.add(any(a < (start_s + end_s) / 2 < b for a, b in hidden))


def _harmless_numbers(turn: Reference) -> Iterator[tuple[float, float]]:
    """The time of each number in a turn that is not personal data: its words in the time of the turn, divided by letters as in `replay`."""
    text = turn["text"]
    personal = [(at, at + len(said["text"])) for said in turn["pii"] for at in _places(text, said["text"])]
    letters = sum(len(word) for word in text.split())
    done = 0
    for word in re.finditer(r"\S+", text):
        length = word.end() - word.start()
        share_s = (turn["end_s"] - turn["start_s"]) / letters
        if is_number(word.group(), turn["lang"]) and not any(word.start() < b and word.end() > a for a, b in personal):
            yield turn["start_s"] + done * share_s, turn["start_s"] + (done + length) * share_s
        done += length


def is_number(word: str, language: str) -> bool:
    """Whether a word is a number in digits or in words; one is excluded, which most languages use as an article or a pronoun."""
    if any(c.isdigit() for c in word):
        return True
    items = items_of([word])
    vocabulary = vocabulary_for(items, language)
    return any((number_of(item.word, vocabulary) or 1) != 1 for item in items)


def _places(text: str, piece: str) -> Iterator[int]:
    at = text.find(piece)
    while at >= 0:
        yield at
        at = text.find(piece, at + 1)


def _count_confidence(found: Figures, one: JudgedCall) -> None:
    right = right_verdicts(one.reference)
    for verdict in one.scored.verdicts:
        wanted = right.get(verdict.criterion_id, "unsure")
        if wanted != "unsure" and verdict.verdict != "unsure":
            tenth = min(9, int(verdict.confidence * 10))
            found.confidence.update(
                {
                    (tenth, "n"): 1,
                    (tenth, "right"): int(verdict.verdict == wanted),
                    (tenth, "thousandths"): round(1000 * verdict.confidence),
                }
            )


def _predicted_sentiment(one: JudgedCall, turn: Reference) -> str | None:
    """The sentiment of the recognised client turns that overlap most of the turn."""
    of = {s.turn_no: s.sentiment for s in one.scored.sentiments}
    shared: defaultdict[str, float] = defaultdict(float)
    for turn_recognised in one.turns:
        overlap_s = min(turn_recognised.end_s, turn["end_s"]) - max(turn_recognised.start_s, turn["start_s"])
        if turn_recognised.role == "client" and overlap_s > 0:
            shared[of[turn_recognised.turn_no]] += overlap_s
    return max(shared, key=lambda sentiment: shared[sentiment]) if shared else None
