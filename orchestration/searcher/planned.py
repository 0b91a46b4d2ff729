"""Trials that are known before anything has run: told by their number, whoever asks and when.

Optuna's GridSampler and QMCSampler are not used: the one takes a trial's number for its place in
the grid, which another first trial shifts, and stops a study that nobody optimises; the other
counts in the study's attributes, so that a driver killed while it asks skips a point.
"""

from collections.abc import Mapping

import numpy as np
from scipy.stats.qmc import Sobol

from drmn.config_tree import Scalar
from drmn.seeding import derive_seed
from orchestration.request import SweepRequest
from orchestration.sampling import SamplerName


class Plan:
    """What each trial of a sweep tries, as far as no result can change it."""

    def __init__(self, request: SweepRequest) -> None:
        self._request = request
        self._first = request.planned_trials()

    def values(self, index: int) -> Mapping[str, Scalar] | None:
        """Of the sweep's own trial ``index``, from 0; None where the sampler is to draw them."""
        if index < len(self._first):
            return self._first[index]
        if self._request.sampler.name == SamplerName.QMC:
            return self._sobol(index - len(self._first))
        return None

    def _sobol(self, index: int) -> dict[str, Scalar]:
        """Point ``index`` of one scrambled Sobol sequence, spread over the space."""
        space = self._request.space
        random = np.random.default_rng(derive_seed(self._request.seed, "sobol"))
        engine = Sobol(len(space), scramble=True, rng=random)
        if index:
            engine.fast_forward(index)
        shares = engine.random(1)[0]
        return {path: d.at(float(u)) for (path, d), u in zip(space.items(), shares, strict=True)}
