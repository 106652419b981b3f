"""Who speaks when in a mono call, with pyannote.audio.

Two engines: the full pipeline of a hub profile, and an offline one that puts pyannote's segmentation and clustering together with the
CAM++ voice embedding. Embeddings are biometric data: they live in memory while one call is clustered and are never returned or stored.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import registry
from models.torchaudio_stand_in import spare_torchaudio

Samples = npt.NDArray[np.float32]

RATE_HZ = 16_000
FEATURE_HOP = 160  # 10 ms
SAME_VOICE, OTHER_VOICE = 0.96, 0.55  # likeness (cosine) of mean embeddings: above, it is one person; below, surely two
THIRD_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class SpokenStretch:
    """A stretch of one speaker; speakers are A, B, C in the order they begin to speak."""

    start_s: float
    end_s: float
    speaker: str


@functools.cache
def get_diarizer(profile: str, models_dir: Path) -> Callable[[Samples], list[SpokenStretch]]:
    """The profile's diarizer, loaded once a process: mono float32 at 16 kHz in, stretches ordered by start out.

    Raises ModelError when the weights are missing or changed.
    """
    segmentation = registry.entry(profile, "segmentation")
    if segmentation.engine == "pyannote-pipeline":
        registry.quiet()
        return _hub_diarizer(segmentation, models_dir)
    registry.stay_offline()
    return _offline_diarizer(segmentation, registry.entry(profile, "embedding"), models_dir)


def voices_in_call(embeddings: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int_]:
    """The speaker, 0 to 2, of each voice embedding [n, dimension] of one call: two as a rule.

    One only where all sound alike, three only where the third is unlike both others and speaks often enough (a transfer, a prompt).
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(embeddings) < 2:
        return np.zeros(len(embeddings), np.int_)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    tree = linkage(unit, method="ward")

    def cut(count: int) -> tuple[npt.NDArray[np.int_], float, float]:
        labels = np.unique(fcluster(tree, count, "maxclust"), return_inverse=True)[1]
        centres = np.stack([unit[labels == k].mean(axis=0) for k in range(labels.max() + 1)])
        centres /= np.linalg.norm(centres, axis=1, keepdims=True)
        likeness = float((centres @ centres.T)[np.triu_indices(len(centres), 1)].max(initial=-1.0))
        return labels, likeness, float(np.bincount(labels).min() / len(labels))

    two, likeness_of_two, _ = cut(2)
    if likeness_of_two > SAME_VOICE:
        return np.zeros(len(embeddings), np.int_)
    three, likeness_of_three, smallest_share = cut(3)
    if three.max() == 2 and likeness_of_three < OTHER_VOICE and smallest_share > THIRD_SHARE:
        return three
    return two


def _offline_diarizer(
    segmentation: registry.Entry, embedding: registry.Entry, models_dir: Path
) -> Callable[[Samples], list[SpokenStretch]]:
    checkpoint = registry.weights(models_dir, segmentation) / "pytorch_model.bin"
    voices = registry.weights(models_dir, embedding) / "campplus_cn_en_common.pt"
    _import_pyannote()
    pipeline = _pipeline_class()(
        segmentation=_segmentation_model(checkpoint), voices=voices, **{f"segmentation_{k}": v for k, v in segmentation.parameters.items()}
    )
    pipeline.instantiate(
        {"segmentation": {"min_duration_off": 0.0}, "clustering": {"method": "ward", "threshold": 0.0, "min_cluster_size": 1}}
    )

    def diarize(samples: Samples) -> list[SpokenStretch]:
        return _stretches(_apply(pipeline, samples, max_speakers=3))

    return diarize


def _hub_diarizer(entry: registry.Entry, models_dir: Path) -> Callable[[Samples], list[SpokenStretch]]:
    folder = registry.weights(models_dir, entry)
    _import_pyannote()
    import torch
    from pyannote.audio import Pipeline

    pipeline: Any = Pipeline.from_pretrained(folder)
    pipeline.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))

    def diarize(samples: Samples) -> list[SpokenStretch]:
        return _stretches(_apply(pipeline, samples, min_speakers=1, max_speakers=3))

    return diarize


def _apply(pipeline: Any, samples: Samples, **people: int) -> Any:
    import torch

    threads = torch.get_num_threads()
    if not torch.cuda.is_available():
        torch.set_num_threads(1)  # the networks are small: more threads gain little, and on a busy machine they cost ten times the time
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the number of speakers found in very short calls, and of torch's own
            return pipeline({"waveform": torch.from_numpy(np.ascontiguousarray(samples))[None], "sample_rate": RATE_HZ}, **people)
    finally:
        torch.set_num_threads(threads)


def _stretches(output: Any) -> list[SpokenStretch]:
    tracks = sorted(output.speaker_diarization.itertracks(yield_label=True), key=lambda t: (t[0].start, t[0].end))
    names: dict[str, str] = {}
    return [
        SpokenStretch(float(segment.start), float(segment.end), names.setdefault(label, chr(ord("A") + len(names))))
        for segment, _, label in tracks
    ]


def _import_pyannote() -> None:
    """Import pyannote with its telemetry off; it warns that torchcodec does not load, which would decode files where we pass samples."""
    os.environ["PYANNOTE_METRICS_ENABLED"] = "false"
    spare_torchaudio()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pyannote.audio  # noqa: F401


def _segmentation_model(checkpoint: Path) -> Any:
    """The segmentation network from its checkpoint, unpickled with only the four harmless types that it needs."""
    import torch
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.segmentation import PyanNet
    from torch.torch_version import TorchVersion

    with torch.serialization.safe_globals([Problem, Resolution, Specifications, TorchVersion]):
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = PyanNet(**saved["hyper_parameters"])
    model.specifications = saved["pyannote.audio"]["specifications"]
    model.build()
    model.load_state_dict(saved["state_dict"])
    return model.eval()


@functools.cache
def _pipeline_class() -> Any:
    """The diarization pipeline of pyannote with CAM++ as its voice embedding; defined here because pyannote is imported late."""
    import torch
    from pyannote.audio import Model
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.pipelines import SpeakerDiarization
    from pyannote.audio.pipelines.clustering import AgglomerativeClustering
    from torchaudio.compliance.kaldi import fbank

    from models.campplus import DIMENSION, MIN_FRAMES, CamPlusPlus

    class Named(Model):  # type: ignore[misc]
        """Tells the pipeline the metric and size of the embeddings that `CallDiarization` makes itself."""

        dimension = DIMENSION

    class CallClustering(AgglomerativeClustering):  # type: ignore[misc]
        """Agglomerative clustering that knows how many people a telephone call has."""

        def cluster(self, embeddings: Any, min_clusters: Any = None, max_clusters: Any = None, num_clusters: Any = None) -> Any:
            return voices_in_call(embeddings)

    class CallDiarization(SpeakerDiarization):  # type: ignore[misc]
        """Segmentation and clustering as pyannote does them; embeddings from features that are made once a call."""

        def __init__(self, segmentation: Any, voices: Path, segmentation_step: float, segmentation_batch_size: int) -> None:
            super().__init__(
                segmentation=segmentation,
                segmentation_step=segmentation_step,
                segmentation_batch_size=segmentation_batch_size,
                embedding=Named(sample_rate=RATE_HZ),
                plda=PLDA.__new__(PLDA),  # agglomerative clustering needs none, and the default would be asked of the hub
                clustering="AgglomerativeClustering",
            )
            self.clustering = CallClustering(metric="cosine", constrained_assignment=True)
            self.voices = CamPlusPlus(voices)

        def get_embeddings(self, file: Any, binary_segmentations: Any, exclude_overlap: bool = False, hook: Any = None) -> Any:
            """One embedding for each window and speaker, from the frames where that speaker talks alone; NaN where there are too few."""
            features = fbank(file["waveform"] * 32768, num_mel_bins=80, sample_frequency=RATE_HZ, dither=0.0)
            chunks, frames, speakers = binary_segmentations.data.shape
            embeddings = np.full((chunks, speakers, DIMENSION), np.nan)
            window = binary_segmentations.sliding_window
            active = np.nan_to_num(binary_segmentations.data) > 0.5
            alone = active & (active.sum(axis=2, keepdims=True) == 1)
            hops = int(window.duration * RATE_HZ / FEATURE_HOP)
            to_frame = np.minimum(np.arange(hops) * frames // hops, frames - 1)
            for chunk in range(chunks):
                first = round(window[chunk].start * RATE_HZ / FEATURE_HOP)
                for speaker in range(speakers):
                    for mask in (alone[chunk, :, speaker], active[chunk, :, speaker]):
                        index = first + np.flatnonzero(mask[to_frame])
                        index = index[(index >= 0) & (index < len(features))]
                        if len(index) >= MIN_FRAMES:
                            chosen = features[torch.from_numpy(index)]
                            embeddings[chunk, speaker] = self.voices((chosen - chosen.mean(dim=0))[None])[0].numpy()
                            break
            return embeddings

    return CallDiarization
