"""Writes the first profile of a centre: a commented YAML file to start from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models import atomic_files
from pipelines.centres.profile import NO_PROFILE, load_centre, read_centre
from pipelines.centres.vocabulary import TOPICS
from pipelines.core.errors import MisconfiguredError
from pipelines.core.profile_files import SUFFIX
from pipelines.core.yaml_text import flow


@dataclass(frozen=True, slots=True)
class NewTopic:
    """A topic as its author names it: a known one by its id alone, or one of their own with a description."""

    topic_id: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class ProfileAnswers:
    """What `callgrade centre new` asks for."""

    name: str
    languages: tuple[str, ...]
    timezone: str = "UTC"
    company_names: tuple[str, ...] = ()  # as people say it, the proper spelling first
    hours: tuple[int, int] = (0, 0)  # of the full service; the same hour twice: round the clock
    lines: tuple[str, ...] = ("first", "second")
    topics: tuple[NewTopic, ...] = (NewTopic("complaint"), NewTopic("other"))


def parse_topics(text: str) -> tuple[NewTopic, ...]:
    """Topics from `complaint; where_is_parcel: the client asks where a parcel is`."""
    parts = [part.strip() for part in text.split(";") if part.strip()]
    return tuple(NewTopic(name.strip(), description.strip()) for name, _, description in (part.partition(":") for part in parts))


def parse_hours(text: str) -> tuple[int, int]:
    """Opening and closing hour from `8-20`; (0, 0) for an empty text. Raises MisconfiguredError for any other text."""
    first, _, last = text.replace("–", "-").partition("-")
    try:
        hours = (int(first), int(last)) if text.strip() else (0, 0)
    except ValueError:
        hours = (-1, -1)
    if not all(0 <= hour <= 24 for hour in hours):
        raise MisconfiguredError(
            f"The hours {text!r} are not readable: give the hours of the full service as 8-20, or nothing for round the clock."
        )
    return hours


def write_profile(centre_id: str, folder: Path, answers: ProfileAnswers) -> Path:
    """Write `folder/centre_id.yaml`; returns its path.

    Raises MisconfiguredError when the file exists already, or when an answer is not allowed; then nothing is left behind.
    """
    path = folder / f"{centre_id}{SUFFIX}"
    if path.exists():
        raise MisconfiguredError(f"{path} exists already; edit it, and look at it with `callgrade centre check {folder}`.")
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / ".new" / path.name  # the name of the file must be the id of the centre
    draft.parent.mkdir(exist_ok=True)
    try:
        draft.write_text(profile_text(centre_id, answers), encoding="utf-8")
        try:
            read_centre(draft)
        except MisconfiguredError as error:
            raise MisconfiguredError(str(error).replace(str(draft), "the new profile")) from None
        atomic_files.write(path, draft.read_bytes())
    finally:
        draft.unlink(missing_ok=True)
        draft.parent.rmdir()
    return path


def profile_text(centre_id: str, answers: ProfileAnswers) -> str:
    """The text of a new profile with comments that say what each part is for."""
    names = "\n".join(f"  {code}: {flow(list(answers.company_names))}" for code in answers.languages)
    company = (
        f"# How the company is called, by language, the proper spelling first. Signs of phrases: docs/scorecards.md.\ncompany_names:\n{names}"
        if answers.company_names
        else "# company_names:  # without them, whether the operator names the company is not judged\n"
        + "\n".join(f"#   {code}: [The Company]" for code in answers.languages)
    )
    criteria = "\n".join(
        f"    - {{id: {criterion.criterion_id}, weight: {criterion.weight:g}}}" for criterion in load_centre(NO_PROFILE).scorecard.criteria
    )
    topics = "\n".join(_topic(topic) for topic in answers.topics)
    return f"""\
# The profile of one contact centre; docs/first-centre.md goes through it. Check it with `callgrade centre check FOLDER`.
# For completion in an editor: callgrade schema profile > profile.schema.json, and then this line:
# yaml-language-server: $schema=profile.schema.json
centre: {centre_id}
name: {flow(answers.name)}
timezone: {flow(answers.timezone)}  # an IANA name such as Europe/Kyiv
languages: {flow(list(answers.languages))}  # of the calls, the main one first
{company}
# Hours of the full service; the same hour twice: round the clock. night_topics are handled outside them as well.
hours: {{day_from: {answers.hours[0]}, day_to: {answers.hours[1]}}}
lines: {flow(list(answers.lines))}  # as in the call log; one with a name for the pages: {{id: depot, title: {{en: Depot}}}}
# Topics: ids of known ones ({", ".join(TOPICS[:6])}, ...: docs/scorecards.md), and your own.
# A topic is learned from its description and from sentences of clients; three to five of each language are enough.
topics:
{topics}
# Names of products and places that are hard to recognise, by language.
# terms:
#   {answers.languages[0]}: [Product name, Street name]
procedure: {{warnings: 1, notice_required: true}}  # what an operator does before ending an abusive call
scorecard:
  id: {centre_id}
  version: "1"  # increase it with every change
  owner: head of quality
  effective_from: "2026-01-01"
  criteria:  # described in docs/scorecards.md; a criterion here may override any of its fields
{criteria}
    # A criterion of your own, from examples of what operators say:
    # - id: next_step_named
    #   rule: said
    #   weight: 8
    #   title: {{en: Next step named}}
    #   description: {{en: The operator says what happens next.}}
    #   said_like: ["We will call you back by tomorrow noon", "You will get a message as soon as it is ready"]
    #   not_like: ["I do not know what happens next"]
"""


def _topic(topic: NewTopic) -> str:
    if topic.topic_id in TOPICS and not topic.description:
        return f"  - {topic.topic_id}"
    return f"  - id: {topic.topic_id}\n    description: {flow(topic.description or topic.topic_id.replace('_', ' '))}\n    examples: []"
