"""Checks a folder of centre profiles: every error, and what would make the profiles better."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.centres.profile import Centre, read_centre
from pipelines.centres.vocabulary import TOPICS
from pipelines.core.errors import MisconfiguredError
from pipelines.core.profile_files import SUFFIX

FEW_EXAMPLES = 3  # fewer than so many teach little


@dataclass(frozen=True, slots=True)
class ProfileCheck:
    """The result for one file."""

    path: Path
    centre: Centre | None  # None where it is wrong
    errors: tuple[str, ...]  # with file, line, value and what is allowed
    advice: tuple[str, ...]


def check_folder(folder: Path) -> list[ProfileCheck]:
    """The result for every profile of a folder. Raises MisconfiguredError when it has none."""
    files = sorted(path for path in folder.glob("*") if path.suffix in (SUFFIX, ".yml") and path.is_file()) if folder.is_dir() else []
    if not files:
        raise MisconfiguredError(f"There is no profile in {folder}; `callgrade centre new ID {folder}` writes the first one.")
    return [_check(path) for path in files]


def _check(path: Path) -> ProfileCheck:
    if path.suffix != SUFFIX:
        return ProfileCheck(path, None, (f"{path}: a profile is named ID{SUFFIX}; rename the file to {path.stem}{SUFFIX}.",), ())
    try:
        centre = read_centre(path)
    except MisconfiguredError as error:
        return ProfileCheck(path, None, tuple(str(error).splitlines()), ())
    return ProfileCheck(path, centre, (), tuple(_advice(centre)))


def _advice(centre: Centre) -> Iterator[str]:
    if not centre.company_names:
        yield "company_names: without them, whether the operator names the company is not judged"
    for topic in centre.topics:
        if topic.topic_id not in TOPICS and len(topic.examples) < FEW_EXAMPLES:
            yield f"topic {topic.topic_id}: {len(topic.examples)} examples; {FEW_EXAMPLES} or more of each language are recognised better"
        if topic.topic_id not in TOPICS and not topic.title:
            yield f"topic {topic.topic_id}: no title; pages will show its id"
    for criterion in centre.scorecard.criteria:
        if criterion.said_like and len(criterion.said_like) < FEW_EXAMPLES:
            yield f"criterion {criterion.criterion_id}: {len(criterion.said_like)} examples in said_like; five to ten are recognised better"
        if criterion.said_like and not criterion.not_like:
            yield f"criterion {criterion.criterion_id}: no not_like; two or three near misses keep it apart from what sounds similar"
    if "other" not in centre.topic_ids:
        yield "topics: no other; every call then gets one of the listed topics"
