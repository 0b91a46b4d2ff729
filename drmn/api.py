"""Load, train, evaluate, look: the few calls that a notebook needs, over the parts below.

```python
from drmn import evaluate, load_dataset, train

data = load_dataset("sprites")
trained = train(data, settings={"training.epochs": 3})
evaluate(trained)["gzsl_harmonic"]
```

As everywhere, choices are made on validation: :func:`train` reads no test image unless it is told
to train for the final evaluation.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from drmn.config import Config
from drmn.config_tree import Scalar
from drmn.data import dataset as datasets
from drmn.data.dataset import Dataset
from drmn.data.live import LiveSource
from drmn.data.splits import Split, test_split, validation_split
from drmn.data.sprites import render_sprites
from drmn.data.store.features import FeatureStore
from drmn.data.store.given_features import GIVEN, check_needs_no_regions, ensure_given_features
from drmn.data.store.making import ensure_features
from drmn.deployed.making import make_model, record_of
from drmn.logits import Logits
from drmn.metrics import score
from drmn.model.network import DRMN, Explanation
from drmn.presets import preset
from drmn.training import EpochResult, Trainer

DATA_ROOT = Path("data/xlsa17")
SPRITES_ROOT = Path(".drmn/data")
CACHE_ROOT = Path(".drmn/cache")
SPRITES = "sprites"


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A finished training.

    Args:
        dataset: what it trained on.
        split: the images that trained, and those that evaluate.
        trainer: the network with its state; ``trainer.network`` maps rows to scores.
        source: backbone levels of a frozen backbone, or images for a tuned one.
        history: one result per epoch.
        logits: o and g of the split's evaluation part: seen images first, then unseen ones.
    """

    dataset: Dataset
    split: Split
    trainer: Trainer
    source: FeatureStore | LiveSource
    history: tuple[EpochResult, ...]
    logits: Logits

    @property
    def config(self) -> Config:
        """What was trained."""
        return self.trainer.config

    @property
    def model(self) -> DRMN:
        """The network, without its backbone."""
        return self.trainer.network.model

    def explain(self, rows: Sequence[int]) -> Explanation:
        """Attention, channel weights and attribute scores of a few images, by row of the data set.

        Rows of the evaluation part: ``split.eval_seen.rows`` and ``split.eval_unseen.rows``.
        """
        network = self.trainer.network.eval()
        inputs = network.read(np.asarray(rows, dtype=np.int64))
        with torch.inference_mode():
            levels = tuple(part.to(self.trainer.device) for part in inputs)
            if network.backbone is not None:
                levels = tuple(network.backbone(levels[0]))
            return network.model.explain(levels)

    def save(self, path: Path | str) -> None:
        """Write the model as one checksummed file, for ``drmn predict`` and ``drmn evaluate``."""
        manifest = self.source.manifest if isinstance(self.source, FeatureStore) else None
        record = record_of(self.config, self.dataset, self.split, self.logits)
        state = self.trainer.state()
        make_model(state, self.config, self.dataset, self.split, record, manifest=manifest).save(
            Path(path)
        )


def load_dataset(name: str = SPRITES, data_root: Path | str | None = None) -> Dataset:
    """The data set in ``data_root/NAME``, validated and hashed; no picture is read.

    Args:
        name: such as ``cub``, or a folder's; letter case, ``-`` and ``_`` do not matter.
        data_root: holds one folder per data set. None: ``data/xlsa17``; for ``sprites``, the demo
            set, ``.drmn/data``, where it is rendered if it is not there.

    Raises:
        DataError: a file is absent, damaged or contradicts another.
    """
    if name == SPRITES and data_root is None:
        render_sprites(SPRITES_ROOT)
        data_root = SPRITES_ROOT
    return datasets.load_dataset(name, Path(DATA_ROOT if data_root is None else data_root))


def train(
    dataset: Dataset,
    config: Config | None = None,
    *,
    settings: Mapping[str, Scalar] | None = None,
    on_test: bool = False,
    cache_root: Path | str = CACHE_ROOT,
    device: torch.device | str | None = None,
    on_epoch: Callable[[EpochResult], None] | None = None,
) -> Trained:
    """Train ``config``, by default the data set's preset, to its last epoch.

    Args:
        settings: overrides by dotted path, such as ``{"training.epochs": 5}``.
        on_test: train on all of trainval, for one final evaluation on test; else part of trainval
            is held out and plays test, and no test image is touched.
        cache_root: where features of a frozen backbone are kept; made once, then read again.
        device: where to train; None: a GPU where there is one.
        on_epoch: told of each epoch as it ends.

    Raises:
        ConfigError: an unknown setting, or settings that contradict each other.
        DataError: a picture or the backbone's weights cannot be read.
        DivergenceError: a loss is NaN or infinite.
    """
    chosen = (config or preset(dataset.name)).with_overrides(settings or {})
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    source = _levels(dataset, chosen, Path(cache_root), str(device))
    split = test_split(dataset) if on_test else validation_split(dataset, chosen.validation)
    trainer = Trainer(chosen, split, source, torch.device(device))
    history: list[EpochResult] = []
    while trainer.epoch < chosen.training.epochs:
        history.append(trainer.train_epoch())
        if on_epoch is not None:
            on_epoch(history[-1])
    return Trained(
        dataset=dataset,
        split=split,
        trainer=trainer,
        source=source,
        history=tuple(history),
        logits=trainer.evaluate(),
    )


def evaluate(trained: Trained, *, beta: float | None = None) -> dict[str, float]:
    """All metrics of the split's evaluation part, as fractions, by the names of :mod:`drmn.names`.

    Args:
        beta: weight of the attribute branch on the seen path; None: the configuration's. Nothing
            is trained or computed again for another one.

    Raises:
        ConfigError: ``beta`` is outside [0, 1].
    """
    inference = trained.config.inference
    return score(trained.logits, inference if beta is None else replace(inference, beta=beta))


def _levels(
    dataset: Dataset, config: Config, cache_root: Path, device: str
) -> FeatureStore | LiveSource:
    """Levels of a frozen backbone, computed now if they are not in the cache; or images."""
    if config.backbone.train != "none":
        return LiveSource(dataset, config)
    if config.backbone.weights == GIVEN:
        check_needs_no_regions(config)
        return ensure_given_features(dataset, cache_root)
    size = config.data.image_size
    return ensure_features(dataset, config.backbone, size, cache_root, device=device)
