"""Lets libraries import torchaudio with a CPU build of torch: its wheel links CUDA, but only its Python part is needed."""

from __future__ import annotations

import sys
import types
from typing import Any


def spare_torchaudio() -> None:
    """Install a stub for torchaudio's compiled part, once, where torch has no CUDA; do nothing elsewhere."""
    import torch

    if torch.version.cuda is not None or "torchaudio" in sys.modules or "torchaudio._extension" in sys.modules:
        return
    extension: Any = types.ModuleType("torchaudio._extension")
    extension._IS_TORCHAUDIO_EXT_AVAILABLE = False
    extension._IS_ALIGN_AVAILABLE = False
    extension.fail_if_no_align = lambda function: function
    sys.modules["torchaudio._extension"] = extension
