"""What a model says of pictures: probabilities, Algorithm 1's decision, attributes, attention.

**Probabilities.** Algorithm 1 first asks y1 = argmax(o + 1[unseen]). Where y1 is unseen the
probabilities are softmax(o + 1[unseen]); where it is seen they are the ensemble's,
beta softmax(o) + (1 - beta) softmax(g). So they are those of the path that the algorithm took, and
the most probable class is its decision. Among given classes alone they are softmax(o) over those.

**Classes never trained** are unseen classes: o reaches them by their semantics; the global branch
knows none of them, so that g is -inf there and its softmax 0.

K is the number of the model's classes, N of those given with it, M of all that may be answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from drmn.config import InferenceConfig
from drmn.data.transforms import normalise
from drmn.deployed.given_classes import GivenClasses
from drmn.deployed.network import CPU, DeployedNetwork
from drmn.deployed.saved_model import SavedModel
from drmn.errors import ConfigError
from drmn.inference import ensemble_scores, first_prediction
from drmn.model.classifier import hyperspherical_logits
from drmn.model.network import Scores

BATCH_SIZE = 16  # pictures at once: their explanations hold [B A C] values


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """Of one picture.

    Args:
        probabilities: of each class that may be answered; they sum to 1.
        attributes: e / ||e|| of Eq. 7, what Eq. 8 compares with each class: how strongly each
            attribute was found, -1..1.
        attention: omega of Eq. 1, each row a map over the regions, row by row; it sums to 1.
    """

    probabilities: Float[Tensor, " M"]
    attributes: Float[Tensor, " A"]
    attention: Float[Tensor, "A R"]

    @property
    def decision(self) -> int:
        """Algorithm 1's answer."""
        return int(self.probabilities.argmax())


class Predictor:
    """A model with the classes it may answer.

    Args:
        saved: the model.
        given: classes beside the model's own.
        only_given: whether to answer among the given ones alone, as section 3.5 does.
        device: where to compute.
        network: the model's, if it is built already.

    Raises:
        ConfigError: only given classes are asked for, but there are none.
        DataError: the model cannot be built.
    """

    def __init__(
        self,
        saved: SavedModel,
        given: GivenClasses | None = None,
        *,
        only_given: bool = False,
        device: torch.device = CPU,
        network: DeployedNetwork | None = None,
    ) -> None:
        if only_given and given is None:
            raise ConfigError(
                "only given classes are to be answered, but none are given",
                "give a table of classes",
            )
        self.image_size = saved.config.data.image_size
        self.attribute_names = saved.attribute_names
        names = () if given is None else given.names
        self.class_names = names if only_given else saved.class_names + names
        self.seen = F.pad(saved.seen, (0, len(names)), value=False)[-len(self.class_names) :]
        self._only_given = only_given
        self._inference = saved.config.inference
        self._saved = saved
        self._network = DeployedNetwork(saved, device) if network is None else network
        self._new = saved.attributes[:0] if given is None else given.attributes
        self._gamma = saved.config.model.classifier.gamma

    def with_classes(self, given: GivenClasses | None, *, only_given: bool) -> "Predictor":
        """The same network, with other classes to answer.

        Raises:
            ConfigError: only given classes are asked for, but there are none.
        """
        return Predictor(self._saved, given, only_given=only_given, network=self._network)

    def predict(self, pixels: Sequence[UInt8[np.ndarray, "S S 3"]]) -> list[Prediction]:
        """One prediction per picture, prepared by :func:`drmn.data.transforms.square_pixels`."""
        found: list[Prediction] = []
        for start in range(0, len(pixels), BATCH_SIZE):
            found += self._batch(np.stack(pixels[start : start + BATCH_SIZE]))
        return found

    def _batch(self, pixels: UInt8[np.ndarray, "B S S 3"]) -> list[Prediction]:
        with torch.inference_mode():
            levels = self._network.levels(normalise(torch.from_numpy(pixels)))
            scores = self._network(levels)
            why = self._network.model.explain(levels)
        e = why.attribute_scores.cpu()
        attributes = F.normalize(e.float(), dim=1)
        return [
            Prediction(probabilities=p, attributes=a, attention=omega)
            for p, a, omega in zip(
                self._probabilities(scores, e), attributes, why.attention.cpu(), strict=True
            )
        ]

    def _probabilities(self, scores: Scores, e: Float[Tensor, "B A"]) -> Float[Tensor, "B M"]:
        new = hyperspherical_logits(e, self._new, self._gamma)
        if self._only_given:
            return new.double().softmax(dim=1)
        g = None
        if scores.g is not None:
            g = F.pad(scores.g.cpu(), (0, len(self._new)), value=-torch.inf)
        return probabilities(torch.cat([scores.o.cpu(), new], dim=1), g, self.seen, self._inference)


def probabilities(
    o: Float[Tensor, "B M"],
    g: Float[Tensor, "B M"] | None,
    seen: Bool[Tensor, " M"],
    config: InferenceConfig,
) -> Float[Tensor, "B M"]:
    """Of the path that Algorithm 1 took, in float64; their argmax is its answer."""
    y1 = first_prediction(o, seen, config.unseen_offset)
    first = (o.double() + config.unseen_offset * (~seen).double()).softmax(dim=1)
    if g is None or not config.ensemble:
        return first
    second = ensemble_scores(o, g, config.beta)
    return torch.where(seen[y1].unsqueeze(1), second, first)
