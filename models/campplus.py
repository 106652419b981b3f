"""The CAM++ speaker embedding: 192 numbers that say whose voice it is, from 80-band log mel features.

Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware Masking", Interspeech 2023. Only the forward
pass is here, straight on the tensors of the published checkpoint, so that the weights load without running any code of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

DIMENSION = 192
BLOCKS = ((1, 12, 1), (2, 24, 2), (3, 16, 2))  # number, layers, dilation
CONTEXT_FRAMES = 100
MIN_FRAMES = 24  # 0.24 s: less is no voice


class CamPlusPlus:
    """The network with its weights; call it with features [batch, frames, 80]."""

    def __init__(self, checkpoint: Path, device: str = "cpu") -> None:
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        self._w: Mapping[str, Tensor] = {name: tensor.float() for name, tensor in state.items() if tensor.is_floating_point()}

    @torch.inference_mode()
    def __call__(self, features: Tensor) -> Tensor:
        """Embeddings [batch, 192] of features [batch, frames, 80] whose mean over time was taken off."""
        x = self._front(features.transpose(1, 2))
        x = F.conv1d(x, self._w["xvector.tdnn.linear.weight"], stride=2, padding=2)
        x = self._norm_relu(x, "xvector.tdnn.nonlinear.batchnorm")
        for number, layers, dilation in BLOCKS:
            for layer in range(1, layers + 1):
                x = torch.cat([x, self._dense_layer(x, f"xvector.block{number}.tdnnd{layer}", dilation)], dim=1)
            x = self._norm_relu(x, f"xvector.transit{number}.nonlinear.batchnorm")
            x = F.conv1d(x, self._w[f"xvector.transit{number}.linear.weight"])
        x = self._norm_relu(x, "xvector.out_nonlinear.batchnorm")
        pooled = torch.cat([x.mean(dim=-1), x.std(dim=-1, unbiased=True)], dim=-1)
        x = F.conv1d(pooled.unsqueeze(-1), self._w["xvector.dense.linear.weight"]).squeeze(-1)
        return self._norm(x, "xvector.dense.nonlinear.batchnorm")

    def _front(self, x: Tensor) -> Tensor:
        """The two-dimensional residual front end: 80 bands become 10, then channels and bands are one axis."""
        x = self._conv2d(x.unsqueeze(1), "head.conv1", "head.bn1").relu()
        for layer in ("head.layer1", "head.layer2"):
            for block, stride in ((f"{layer}.0", 2), (f"{layer}.1", 1)):
                y = self._conv2d(x, f"{block}.conv1", f"{block}.bn1", stride).relu()
                y = self._conv2d(y, f"{block}.conv2", f"{block}.bn2")
                short = self._conv2d(x, f"{block}.shortcut.0", f"{block}.shortcut.1", stride, padding=0) if stride == 2 else x
                x = (y + short).relu()
        x = self._conv2d(x, "head.conv2", "head.bn2", 2).relu()
        return x.flatten(1, 2)

    def _dense_layer(self, x: Tensor, name: str, dilation: int) -> Tensor:
        """A time-delay layer whose output is masked by what the whole stretch and its neighbourhood sound like."""
        x = self._norm_relu(x, f"{name}.nonlinear1.batchnorm")
        x = self._norm_relu(F.conv1d(x, self._w[f"{name}.linear1.weight"]), f"{name}.nonlinear2.batchnorm")
        cam = f"{name}.cam_layer"
        local = F.conv1d(x, self._w[f"{cam}.linear_local.weight"], padding=dilation, dilation=dilation)
        near = F.avg_pool1d(x, CONTEXT_FRAMES, CONTEXT_FRAMES, ceil_mode=True).repeat_interleave(CONTEXT_FRAMES, dim=-1)[..., : x.shape[-1]]
        context = x.mean(dim=-1, keepdim=True) + near
        context = F.conv1d(context, self._w[f"{cam}.linear1.weight"], self._w[f"{cam}.linear1.bias"]).relu()
        return local * F.conv1d(context, self._w[f"{cam}.linear2.weight"], self._w[f"{cam}.linear2.bias"]).sigmoid()

    def _conv2d(self, x: Tensor, conv: str, norm: str, stride: int = 1, padding: int = 1) -> Tensor:
        return self._norm(F.conv2d(x, self._w[f"{conv}.weight"], stride=(stride, 1), padding=padding), norm)

    def _norm_relu(self, x: Tensor, name: str) -> Tensor:
        return self._norm(x, name).relu_()

    def _norm(self, x: Tensor, name: str) -> Tensor:
        w = self._w
        return F.batch_norm(x, w[f"{name}.running_mean"], w[f"{name}.running_var"], w.get(f"{name}.weight"), w.get(f"{name}.bias"))
