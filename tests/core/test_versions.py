"""The steps redone after a change: exactly those whose files changed and those after them, where their input still exists."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pipelines import flow
from pipelines.__main__ import main
from pipelines.core import staleness, versions
from pipelines.core.settings import ROOT, Settings
from pipelines.core.staging import Batch
from pipelines.redact import step as redact
from pipelines.redact.recognizer import CallContext, PersonalSpan, Recognizer
from tests.staged import call, stage

ENTRIES = {
    "audio": "pipelines.audio.step", "transcribe": "pipelines.transcribe.step", "diarize": "pipelines.diarize.step", "turns": "pipelines.turns.step",
    "redact": "pipelines.redact.step", "questions": "pipelines.questions.step", "score": "pipelines.score.step",
}  # fmt: skip
# Infrastructure of the steps: it decides where and how files are written, not what is found in a call.
PLUMBING = (
    "pipelines/__init__.py", "pipelines/core/choices.py", "pipelines/core/errors.py", "pipelines/core/settings.py", "pipelines/core/staging.py", "pipelines/core/records.py",
    "pipelines/core/printable.py", "pipelines/core/regular_file.py", "pipelines/core/lake_address.py", "pipelines/core/versions.py", "models/cores.py",
    "models/atomic_files.py", "models/hub.py", "models/installed.py", "models/private_files.py", "models/registry.py", "pipelines/centres/profile.py", "pipelines/centres/scorecard.py", "pipelines/centres/vocabulary.py",
    "pipelines/centres/names.py", "pipelines/core/profile_files.py", "pipelines/core/profile_history.py",
    "pipelines/core/yaml_lines.py", "pipelines/core/remote.py", "pipelines/core/staleness.py", "pipelines/core/validation.py", "pipelines/core/rejections.py", "pipelines/i18n/formats.py", "pipelines/i18n/wording.py",
)  # fmt: skip
NOT_USED = {  # imported by a step that does not use it for its product
    "transcribe": {
        "models/languages/language.py",
        "models/languages/phrases.py",
        "models/languages/dictionaries.py",
    },  # check the phrases of a profile
}
BEFORE = {step: {earlier for earlier, later in versions.AFTER.items() if step in later} for step in versions.FILES}


def imported(module: str) -> set[str]:
    """The files that a module imports, directly or by others, but for those of type checking."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = ROOT / f"{name.replace('.', '/')}.py"
        path = path if path.is_file() else ROOT / name.replace(".", "/") / "__init__.py"
        if not path.is_file() or str(path) in seen:
            continue
        seen.add(str(path))
        tree = ast.parse(path.read_text(encoding="utf-8"))
        typing = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
        left_out = {id(node) for block in typing for node in ast.walk(block)}
        for node in ast.walk(tree):
            if id(node) in left_out:
                continue
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return {str(Path(path).relative_to(ROOT)) for path in seen if not is_docstring_alone(Path(path))}


def is_docstring_alone(path: Path) -> bool:
    """Whether a package's file only says what belongs there."""
    return path.name == "__init__.py" and len(ast.parse(path.read_text(encoding="utf-8")).body) <= 1


@pytest.mark.parametrize("step", ENTRIES)
def test_every_file_that_a_step_imports_is_declared(step: str) -> None:
    patterns = [entry.partition("#")[0] for own in (step, *BEFORE[step]) for entry in versions.FILES[own]]
    declared = {str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)}
    assert imported(ENTRIES[step]) - declared - set(PLUMBING) - NOT_USED.get(step, set()) == set()


@pytest.mark.parametrize("step", versions.FILES)
def test_every_declared_pattern_names_a_file(step: str) -> None:
    assert all(list(ROOT.glob(entry.partition("#")[0])) for entry in versions.FILES[step])


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes copies of the sources."""
    made = tmp_path_factory.mktemp("sources")

    def copy() -> Path:
        folder = made / f"copy{len(list(made.iterdir()))}"
        for top in ("pipelines", "models"):
            shutil.copytree(ROOT / top, folder / top, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors", "dialogues"))
        return folder

    return copy


def changed_steps(root: Path) -> set[str]:
    def named(step: str, folder: Path) -> Mapping[str, str]:
        return versions.digests(step, "offline", folder)

    return {step for step in versions.FILES if named(step, root) != named(step, ROOT)}


@pytest.mark.parametrize(
    ("file", "old", "new", "steps"),
    [
        ("pipelines/redact/names.py", "from __future__", "# a comment\nfrom __future__", set()),
        ("pipelines/redact/names.py", '"""Recognizes names', '"""Looks for the names', set()),
        ("pipelines/score/calibration.py", "\n\n\n", "\n\n\n\n", set()),
        ("models/training/network.py", "FROZEN_LAYERS = 4", "FROZEN_LAYERS = 5", set()),
        ("pipelines/redact/names.py", "_SAME_NAME = 85.0", "_SAME_NAME = 80.0", {"redact"}),
        ("models/languages/ru.yaml", "hold_ask:", "# a comment\n  hold_ask:", set()),
        ("models/languages/personal/ru.yaml", "request:", "unused: x\nrequest:", {"redact"}),
        ("pipelines/questions/prompts.yaml", "unchanged and", "literally and", {"questions"}),
        ("pipelines/centres/packaged/kyiv.yaml", "weight: 5", "weight: 6", {"questions", "score"}),
        ("pipelines/turns/roles.py", "LEAST_CONFIDENCE = 0.9 ", "LEAST_CONFIDENCE = 0.8 ", {"turns"}),
        ("models/diarization/voices.py", "THIRD_SHARE = 0.1 ", "THIRD_SHARE = 0.2 ", {"diarize"}),
        ("pipelines/score/thresholds.yaml", "wanted:", "unused: 1\nwanted:", {"score"}),
        ("pipelines/i18n/strings/en.yaml", "\n", "\nzz_unused: x\n", {"score"}),
        ("pipelines/centres/packaged/kyiv.yaml", "max_hold_s: 60", "max_hold_s: 61", {"score"}),
    ],
)  # fmt: skip
def test_a_change_concerns_exactly_the_steps_whose_files_it_is_in(
    copied: Callable[[], Path], file: str, old: str, new: str, steps: set[str]
) -> None:
    root = copied()
    text = (root / file).read_text(encoding="utf-8")
    assert old in text
    (root / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    assert changed_steps(root) == steps


class Site:
    """A staged batch whose steps only write that they ran."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch, *, keeps_words: bool) -> None:
        self.settings = settings.with_(keep_text="raw" if keeps_words else "redacted")
        self.recording = settings.warehouse.parent / "a.ogg"
        self.recording.write_bytes(b"x" * 1000)
        self.batch = stage(self.settings, "b", [call("a", recording=str(self.recording))])
        self.turns = self.batch.read("turns")
        for kind in ("turns", "verdicts", "audio"):
            self.batch.path(kind).unlink()
        self.rules = dict.fromkeys(versions.FILES, "1")
        self.ran: list[str] = []
        monkeypatch.setattr(versions, "digests", lambda step, profile, **_: {"rules": self.rules[step]})
        for step, kind in staleness.PRODUCTS.items():
            monkeypatch.setitem(flow.STEPS, step, self.writer(step, kind))
        self.judge()

    def writer(self, step: str, kind: str) -> Callable[[Batch, Settings], None]:
        def write(batch: Batch, _: Settings) -> None:
            self.ran.append(step)
            batch.write(kind, self.turns if kind == "turns" else [])

        return write

    def judge(self) -> list[str]:
        """The steps that ran."""
        self.ran.clear()
        flow.judge(self.batch.folder, self.settings)
        return list(self.ran)


ORDER = list(versions.FILES)


@pytest.mark.parametrize("step", ORDER)
def test_a_changed_step_is_redone_with_those_after_it_and_nothing_else(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    site = Site(settings, monkeypatch, keeps_words=True)
    assert site.judge() == []
    site.rules[step] = "2"
    assert site.judge() == [name for name in ORDER if name == step or name in versions.AFTER[step]]
    assert site.judge() == []


@pytest.mark.parametrize(
    ("step", "redone"),
    [
        ("score", ["score"]),
        ("questions", ["questions", "score"]),
        ("redact", ["redact", "questions", "score"]),  # from the masked text
        ("turns", ["transcribe", "turns", "redact", "questions", "score"]),  # the words are gone, the sound is not
        ("diarize", ["transcribe", "diarize", "turns", "redact", "questions", "score"]),
    ],
)
def test_where_the_words_are_gone_they_are_recognised_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, step: str, redone: list[str]
) -> None:
    site = Site(settings, monkeypatch, keeps_words=False)
    assert not site.batch.has("words") and site.judge() == []
    site.rules[step] = "2"
    assert site.judge() == redone
    assert not site.batch.has("words") and site.judge() == []


@pytest.mark.parametrize("step", ORDER)
def test_what_needs_a_sound_that_is_gone_stays_and_is_listed(settings: Settings, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    site = Site(settings, monkeypatch, keeps_words=False)
    site.recording.unlink()
    site.rules[step] = "2"
    needs_sound = step in staleness.NEED_SOUND
    (found,) = staleness.stale(site.settings)
    assert (found.step, found.calls, found.changed, found.can_be_redone) == (step, 1, ("rules",), not needs_sound)
    assert site.judge() == ([] if needs_sound else [name for name in ORDER if name == step or name in versions.AFTER[step]])
    assert [s.step for s in staleness.stale(site.settings)] == ([step] if needs_sound else [])


def test_status_names_what_changed_and_what_cannot_be_redone(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(settings, monkeypatch, keeps_words=False)
    monkeypatch.setattr(versions, "graded_by", lambda _: "callgrade-1+rules.x")
    command = ["status", "--warehouse", str(settings.warehouse)]
    assert main(command) == 0
    assert capsys.readouterr().out == "1 call in 1 batch; current rules: callgrade-1+rules.x.\nEverything is up to date.\n"
    site.rules |= {"redact": "2", "turns": "2"}
    site.recording.unlink()
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "redact: 1 call in 1 batch out of date (rules); redone by the next run of regrade_calls" in said
    assert "turns: 1 call in 1 batch out of date (rules); kept as it is: a recording is missing.\n  batch b" in said


def test_a_run_that_is_killed_between_two_steps_goes_on_with_what_rests_on_the_first(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(settings, monkeypatch, keeps_words=True)
    site.rules["diarize"] = "2"
    for name in ("audio", "transcribe", "diarize"):
        flow.run_step(name, site.batch, site.settings)
    assert site.judge() == ["turns", "redact", "questions", "score"]


def test_a_batch_of_an_older_version_is_masked_and_judged_again_and_not_transcribed_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(settings, monkeypatch, keeps_words=False)
    shutil.rmtree(site.batch.folder / "versions")
    assert site.judge() == ["redact", "questions", "score"]


def test_files_that_were_proven_to_give_the_same_product_redo_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(settings, monkeypatch, keeps_words=True)
    earlier, now, later = (versions.files_digest({"rules": number}) for number in "123")
    monkeypatch.setattr(versions, "EQUIVALENT", {"turns": {earlier: now}})
    site.rules["turns"] = "2"
    assert site.judge() == [] and not list(staleness.stale(site.settings))
    site.rules["turns"] = "3"  # nothing was proven of these
    assert now != later and site.judge() == ["turns", "redact", "questions", "score"]
    monkeypatch.setattr(versions, "digests", lambda step, profile, **_: {"rules": "2" if step == "turns" else "1", "model x": "other"})
    assert versions.changed({"rules": "1", "model x": "one"}, "turns", "offline") == ["model x"]


def test_what_was_proven_of_the_packaged_profiles_holds_for_a_batch_of_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {"an/earlier/layout.py": "1"}
    now = versions.files_digest(versions.digests("turns", "offline", centres=versions.CENTRES_OF_EQUIVALENT))
    monkeypatch.setattr(versions, "EQUIVALENT", {"turns": {versions.files_digest(before): now}})
    assert versions.changed(before, "turns", "offline", {("kyiv", None)}) == []


def test_equal_products_are_declared_for_the_present_files() -> None:
    """Remove the pair of a step whose files changed: of these nothing is proven."""
    now = {
        step: versions.files_digest(versions.digests(step, "offline", centres=versions.CENTRES_OF_EQUIVALENT))
        for step in versions.EQUIVALENT
    }
    assert {step: set(pairs.values()) for step, pairs in versions.EQUIVALENT.items()} == {step: {digest} for step, digest in now.items()}


class SecretWord(Recognizer):
    """A stricter rule."""

    can_be_ruled_out = False

    def recognize(self, call: CallContext) -> list[PersonalSpan]:
        return [
            PersonalSpan(n, k, k + 1, "name")
            for n, turn in enumerate(call.turns)
            for k, item in enumerate(turn.items)
            if item.word == "энергосбыт"
        ]


def test_a_stricter_rule_reaches_a_call_whose_words_are_gone(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = stage(settings, "b", [call("a")])
    assert "Энергосбыт" in batch.read("turns")[0].text
    monkeypatch.setattr(redact, "RECOGNIZERS", (*redact.RECOGNIZERS, SecretWord()))
    monkeypatch.setattr(redact, "_public_words", lambda *_: frozenset())
    for _ in range(2):  # again, nothing more is found
        redact.run(batch, settings)
        first, second = batch.read("turns")
        assert "[NAME]" in first.text and "Энергосбыт" not in first.text
        assert "[ACCOUNT]" in second.text
        assert sorted(found.kind for found in batch.read("personal_data")) == ["account", "name"]
