"""The dependencies of each step: its files, and the models of the profile. Only steps whose files changed, and later ones, run again.

Each staged batch stores, for every step, the digests of the files that its product was made from (`Batch.set_version`), so that reports
can give the reason why a product is out of date. Comments, docstrings and formatting do not change a digest.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from functools import cache
from pathlib import Path

import yaml

from models import registry
from models.languages.phrases import LOADER
from pipelines.core import profile_files
from pipelines.core.profile_files import CentreDay
from pipelines.core.settings import ROOT

_PROFILES = f"{profile_files.PACKAGED}/*{profile_files.SUFFIX}"  # with those outside the package
_WORDS = ("models/languages/language.py", "models/languages/phrases.py", "models/languages/dictionaries.py")
_READING = ("pipelines/turns/model_reading.py", "models/text/[!e_]*.py", "models/text/e5.py", "models/text/turn_model.yaml")
_LEXICON = ("models/languages/abuse_lexicon.py", "models/languages/misheard.py", "models/languages/abuse/*.yaml")
_TOKENS = ("pipelines/turns/words.py", "pipelines/turns/spoken_numbers.py")

# Step → files, as patterns below the repository; `tests/core/test_versions.py` compares them with the imports. `PATTERN#KEY,KEY` means
# these keys of YAML files.
FILES: Mapping[str, tuple[str, ...]] = {
    "audio": ("pipelines/audio/*.py", "pipelines/decoding/*.py", "pipelines/core/intervals.py", "models/sample_rate.py", "models/asr/engine.py", "models/asr/voice_activity.py"),
    "transcribe": ("pipelines/transcribe/*.py", "models/asr/*.py", "models/batches.py", "models/sample_rate.py", "pipelines/core/intervals.py", f"{_PROFILES}#languages,terms"),
    "diarize": ("pipelines/diarize/*.py", "models/diarization/*.py", "models/asr/engine.py", "models/batches.py", "models/sample_rate.py", "pipelines/core/intervals.py"),
    # Phrases of speech acts also affect roles, but a changed phrase is no reason to recognise again: they count from `score` on.
    "turns": (
        "pipelines/turns/step.py", "pipelines/turns/roles.py", "pipelines/turns/from_transcripts.py", "pipelines/core/grouping.py", "pipelines/core/intervals.py", *_TOKENS, *_WORDS, "models/languages/roles/*.yaml",
        f"{_PROFILES}#languages,company_names",
    ),
    "redact": ("pipelines/redact/*.py", *_TOKENS, *_READING, *_WORDS, *_LEXICON, "models/languages/names.yaml", "models/languages/personal/*.yaml", f"{_PROFILES}#company_names,terms"),
    "questions": ("pipelines/questions/*", "models/chat_model.py", "pipelines/core/grouping.py", "pipelines/centres/criteria.yaml", "pipelines/centres/log_conditions.py", "pipelines/turns/call_language.py", f"{_PROFILES}#languages,hours,scorecard"),
    "score": (
        "pipelines/score/**/*", "pipelines/centres/*", "pipelines/turns/call_language.py", _PROFILES, "pipelines/core/profile_files.py", "pipelines/core/profile_history.py", "pipelines/core/grouping.py", "pipelines/core/intervals.py", *_READING, *_WORDS, *_LEXICON, "models/languages/*.yaml", "pipelines/i18n/strings/en.yaml", "models/text/example_matcher.*", "models/text/sentence_encoder.py",
    ),
}  # fmt: skip
AFTER: Mapping[str, tuple[str, ...]] = {  # step → steps that depend on its product
    "audio": ("transcribe", "diarize", "turns", "redact", "questions", "score"),
    "transcribe": ("turns", "redact", "questions", "score"),
    "diarize": ("turns", "redact", "questions", "score"),
    "turns": ("redact", "questions", "score"),
    "redact": ("questions", "score"),
    "questions": ("score",),
    "score": (),
}
_MODELS: Mapping[str, tuple[str, ...]] = {
    "transcribe": ("asr",),
    "diarize": ("segmentation", "embedding"),
    "redact": ("text",),
    "score": ("text",),
}
# Step → files of an earlier version → files that were proven to give the same product (`python -m pipelines.quality.compare_views`), each as their
# `files_digest`. A pair holds only while the files are exactly these; remove it once they change, see `tests/core/test_versions.py`.
EQUIVALENT: Mapping[str, Mapping[str, str]] = {
    "audio": {"c05c2fb78581": "75f48d0e15dd", "31d22cd09c44": "75f48d0e15dd"},
    "transcribe": {"528939484ce4": "d0b957114643", "5f9b233ec681": "d0b957114643"},
    "diarize": {"ac4af278ca82": "d8aa298cb195", "022f0cfac408": "d8aa298cb195"},
    "turns": {"0805208fff5b": "08e650418de5", "b9b9fd39d05e": "08e650418de5"},
}
CENTRES_OF_EQUIVALENT = tuple(
    (name, None) for name in ("irkutsk", "kredo", "kyiv", "motiv", "odesa")
)  # the packaged profiles when the pairs were written
_MODEL = "model "  # how the name of a model begins
_SUFFIXES = (".py", ".yaml", ".json")


def digests(step: str, profile: str, root: Path = ROOT, centres: Collection[str | CentreDay] | None = None) -> Mapping[str, str]:
    """The digest of each file and model that a step depends on, by name.

    Args:
        step: of `FILES`.
        profile: the profile of the models.
        root: the repository.
        centres: the centres whose profiles count, with the days that decide on their versions, usually those of a batch's calls; a
            centre alone means its newest version, None the newest of all.
    """
    found = dict(_packaged_digests(step, profile, root))
    for entry in FILES[step]:
        pattern, _, keys = entry.partition("#")
        if pattern == _PROFILES:
            by_name: dict[str, set[str]] = defaultdict(set)
            for name, path in profile_files.named_files(centres, root):
                by_name[_named(name, keys)].add(file_digest(path, _split(keys)))
            found |= {name: "+".join(sorted(some)) for name, some in by_name.items()}  # one for each version that judges some of the calls
    return found


@cache
def _packaged_digests(step: str, profile: str, root: Path) -> Mapping[str, str]:
    """Those of the repository's files and of the models, without the profiles of centres."""
    found: dict[str, str] = {}
    for entry in FILES[step]:
        pattern, _, keys = entry.partition("#")
        for path in sorted(root.glob(pattern)) if pattern != _PROFILES else ():
            if path.suffix in _SUFFIXES:
                found[_named(str(path.relative_to(root)), keys)] = file_digest(path, _split(keys))
    for job in _MODELS.get(step, ()):
        own = registry.own_entries(profile, job)
        parts = [registry.entry(profile, job).fingerprint, *(f"{language} {model.fingerprint}" for language, model in own.items())]
        found[f"{_MODEL}{job}"] = _short("\n".join(parts).encode())
    return found


def graded_by(profile: str, centre_id: str | None = None, day: date | None = None) -> str:
    """A short identifier of everything that affects a grade of a centre (None: of any): the package and the digest of all steps.

    The profile counts as it is in force on a local day of the centre; None: as it is now.
    """
    centres = None if centre_id is None else ((centre_id, day),)
    content = json.dumps({step: dict(digests(step, profile, centres=centres)) for step in FILES}, sort_keys=True)
    return f"callgrade-{_package_version()}+rules.{_short(content.encode())}"


def changed(before: Mapping[str, str], step: str, profile: str, centres: Collection[CentreDay] | None = None) -> list[str]:
    """The names of the inputs of a product (`before`) that have changed, appeared or disappeared since, as far as they concern `centres`."""
    now = digests(step, profile, centres=centres)
    here = None if centres is None else {None, *(centre_id for centre_id, _ in centres)}
    before_here = {_present_name(name): digest for name, digest in before.items() if here is None or _centre_of(name) in here}
    names = sorted(name for name in before_here.keys() | now.keys() if before_here.get(name) != now.get(name))
    proven = EQUIVALENT.get(step, {}).get(files_digest(before)) if names else None
    if proven and proven == files_digest(digests(step, profile, centres=CENTRES_OF_EQUIVALENT)):
        return [name for name in names if name.startswith(_MODEL)]
    return names


def _centre_of(name: str) -> str | None:
    """The centre whose profile has this name in stored digests; None for any other file."""
    path = Path(name.partition("#")[0])
    return path.stem if str(path.parent) in (profile_files.PACKAGED, profile_files.OUTSIDE) else None


def _present_name(name: str) -> str:
    """The name of a file in digests, where an older version stored another one for profiles."""
    return f"{profile_files.OUTSIDE}/{Path(name).name}" if _centre_of(name) is not None else name


def _named(name: str, keys: str) -> str:
    return name + (f"#{keys}" if keys else "")


def _split(keys: str) -> tuple[str, ...]:
    return tuple(keys.split(",")) if keys else ()


def files_digest(found: Mapping[str, str]) -> str:
    """One digest of the files among these digests, without the models."""
    return _short(json.dumps({name: digest for name, digest in found.items() if not name.startswith(_MODEL)}, sort_keys=True).encode())


def file_digest(path: Path, keys: tuple[str, ...] = ()) -> str:
    """The digest of a file's content: the syntax tree without docstrings for Python, the data (or some keys) for YAML and JSON."""
    status = path.stat()
    return _file_digest(path, keys, status.st_mtime_ns, status.st_size)


@cache
def _file_digest(path: Path, keys: tuple[str, ...], mtime_ns: int, size_bytes: int) -> str:
    content = path.read_bytes()
    if path.suffix == ".py":
        return _short(ast.dump(_without_docstrings(ast.parse(content))).encode())
    data = yaml.load(content, LOADER) if path.suffix == ".yaml" else json.loads(content)
    if keys:
        data = {key: data.get(key) for key in keys}
    return _short(json.dumps(data, default=str, ensure_ascii=False).encode())


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return tree


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _package_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("callgrade")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
