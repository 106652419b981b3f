"""Voice activity detection in a track: the Silero detector that faster-whisper ships."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.asr.engine import RATE_HZ, Track

FRAME_S = 0.032
BLOCK = 1000  # frames per call of the detector; the result does not depend on it


def speech_probabilities(track: Track) -> npt.NDArray[np.float32]:
    """The probability of speech in each frame of 32 ms, 0 to 1, by the Silero detector that faster-whisper ships.

    The same values as faster-whisper's own call for the whole track, with the memory of one block.
    """
    from faster_whisper.vad import get_vad_model

    window, context = int(FRAME_S * RATE_HZ), 64
    frames = -(-len(track) // window)
    h = c = np.zeros((1, 1, 128), np.float32)
    before = np.zeros((1, context), np.float32)
    found = [np.zeros(0, np.float32)]
    for first in range(0, frames, BLOCK):
        block = np.zeros((min(BLOCK, frames - first), window), np.float32)
        part = track[first * window : (first + len(block)) * window]
        block.reshape(-1)[: len(part)] = part
        if first + len(block) == frames:
            block[-1, -context:] = 0
        contexts = np.concatenate([before, block[:-1, -context:]])
        output, h, c = get_vad_model().session.run(None, {"input": np.concatenate([contexts, block], axis=1), "h": h, "c": c})
        found.append(np.asarray(output, np.float32).reshape(-1))
        before = block[-1:, -context:]
    return np.concatenate(found)
