"""The loss of the Speech2Face paper (Oh et al., CVPR 2019, section 3), with its constants."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURE_WEIGHT = 0.025
DISTILLATION_WEIGHT = 200.0
TEMPERATURE = 2.0


@dataclass(frozen=True)
class Speech2FaceLoss:
    """The sum of three terms, with ``v_f`` the feature of the face and ``v_s`` that of the voice.

    ``|f_dec(v_f) - f_dec(v_s)|_1 + l1 |v_f/|v_f| - v_s/|v_s||_2^2 + l2 L_distill(f_VGG(v_f), f_VGG(v_s))``

    Attributes
    ----------
    decoder_layer
        f_dec: the first layer of the decoder's trunk, frozen.
    classifier
        f_VGG: feature to logits of identities, frozen.
    feature_weight, distillation_weight, temperature
        l1, l2 and T of the paper.
    """

    decoder_layer: nn.Module
    classifier: nn.Module
    feature_weight: float = FEATURE_WEIGHT
    distillation_weight: float = DISTILLATION_WEIGHT
    temperature: float = TEMPERATURE

    def __call__(self, voice_feature: Tensor, face_feature: Tensor) -> Tensor:
        """The mean over a batch of features of voices, [n, D], and of the faces they belong to, [n, D]."""
        decoded = (self.decoder_layer(face_feature) - self.decoder_layer(voice_feature)).abs().sum(dim=1)
        unit = functional.normalize(face_feature, dim=1) - functional.normalize(voice_feature, dim=1)
        distilled = distillation(
            self.classifier(face_feature), self.classifier(voice_feature), temperature=self.temperature
        )
        each: Tensor = (
            decoded + self.feature_weight * unit.square().sum(dim=1) + self.distillation_weight * distilled
        )
        return each.mean()


def distillation(teacher_logits: Tensor, student_logits: Tensor, *, temperature: float) -> Tensor:
    """Knowledge distillation: ``- sum_i p_i(a) log p_i(b)`` with ``p = softmax(x / T)``, per example.

    Parameters
    ----------
    teacher_logits, student_logits
        a and b, [n, classes].
    temperature
        T.
    """
    target = torch.softmax(teacher_logits / temperature, dim=1)
    return -(target * torch.log_softmax(student_logits / temperature, dim=1)).sum(dim=1)
