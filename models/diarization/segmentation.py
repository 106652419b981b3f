"""Active speakers per frame of many recordings, by pyannote's segmentation network, with windows batched across recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.asr.engine import RATE_HZ, Track
from models.cores import on_every_core

WINDOW_S = 10.0  # the length that the network was trained on
MOMENTS = 6000  # frames assigned to their windows at a time


class Segmentation:
    """The segmentation network and its step: windows of 10 s, at most `step` of a window apart."""

    def __init__(self, checkpoint: Path, step: float, batch_size: int) -> None:
        from pyannote.audio.utils.powerset import Powerset

        self._model = load_network(checkpoint)
        classes = self._model.specifications
        self._mapping = Powerset(len(classes.classes), classes.powerset_max_classes).mapping.numpy() > 0.5
        self._step_s, self._batch_size = step * WINDOW_S, batch_size

    def active(self, sounds: Sequence[Track], hop_s: float) -> list[npt.NDArray[np.bool_]]:
        """For each recording [frames of `hop_s`, 3]: which of the window's speakers is active.

        Each frame is taken from the window whose centre is nearest, so window edges are not used. Speaker numbers are only meaningful
        within their window.
        """
        import torch

        width = int(WINDOW_S * RATE_HZ)
        starts = [self._starts(len(sound)) for sound in sounds]
        places = [(n, start) for n, own in enumerate(starts) for start in own]

        def judge(first: int) -> npt.NDArray[np.int8]:
            batch = np.zeros((min(self._batch_size, len(places) - first), 1, width), np.float32)
            for row, (n, start) in zip(batch, places[first:], strict=False):
                window = sounds[n][start : start + width]
                row[0, : len(window)] = window
            with torch.inference_mode():
                judged: npt.NDArray[np.int8] = self._model(torch.from_numpy(batch)).argmax(dim=-1).numpy().astype(np.int8)
            return judged

        nothing = np.zeros((0, self._model.num_frames(width)), np.int8)
        best = np.concatenate([nothing, *on_every_core(judge, range(0, len(places), self._batch_size))])
        out, first = [], 0
        for sound, own in zip(sounds, starts, strict=True):
            out.append(self._mapping[self._of_moments(best[first : first + len(own)], own, len(sound), hop_s)])
            first += len(own)
        return out

    def _starts(self, samples: int) -> list[int]:
        """The start times of a recording's windows: evenly spaced, the last one ends with the recording; a short recording has one."""
        rest_s = max(0.0, samples / RATE_HZ - WINDOW_S)
        return [round(s * RATE_HZ) for s in np.linspace(0.0, rest_s, int(np.ceil(rest_s / self._step_s)) + 1)]

    def _of_moments(self, best: npt.NDArray[np.int8], starts: Sequence[int], samples: int, hop_s: float) -> npt.NDArray[np.int8]:
        begin_s = np.array(starts) / RATE_HZ
        moments_s = (np.arange(int(samples / RATE_HZ / hop_s)) + 0.5) * hop_s
        window = np.zeros(len(moments_s), int)
        for first in range(0, len(moments_s), MOMENTS):
            some = moments_s[first : first + MOMENTS]
            near = slice(*np.searchsorted(begin_s, [some[0] - 2 * WINDOW_S, some[-1] + WINDOW_S]))  # the best window is among these
            window[first : first + MOMENTS] = near.start + np.abs(some[:, None] - begin_s[near] - WINDOW_S / 2).argmin(axis=1)
        field = self._model.receptive_field
        frame = np.rint((moments_s - begin_s[window] - field.duration / 2) / field.step).astype(int)
        picked: npt.NDArray[np.int8] = best[window, np.clip(frame, 0, best.shape[1] - 1)]
        return picked


def load_network(checkpoint: Path) -> Any:
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
