"""From a sweep's final run to a model that can be kept, served and compared with others."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from drmn.checkpoint import load_latest
from drmn.config import Config
from drmn.data.dataset import Dataset
from drmn.data.splits import test_split, validation_split
from drmn.data.store.features import FeatureStore
from drmn.deployed.making import make_model, record_of
from drmn.deployed.saved_model import MODEL_FILE
from drmn.errors import DrmnError
from drmn.logits import Logits
from orchestration.final_logging import final_key
from orchestration.finishing import FINAL_FOLDER, SweepResult
from orchestration.request import SweepRequest
from orchestration.serving.registering import register_now
from orchestration.settings import Settings

LOGITS_FILE = "logits.parquet"


@dataclass(frozen=True, kw_only=True)
class FinalModel:
    """What a sweep's model is made of. Of several seeds it is the first: test decides nothing.

    ``features`` is the folder of the feature store; None for live levels.
    """

    request: SweepRequest
    dataset: Dataset
    features: str | None
    experiment: str
    result: SweepResult

    def publish(self, settings: Settings, *, is_sent: bool) -> str:
        """Write ``model.drmn`` into the sweep's folder and register it; says how that went.

        MLflow's troubles are told, not raised: the file is complete. ``is_sent`` says whether
        MLflow has all of the sweep's runs.
        """
        try:
            path = self.keep()
        except DrmnError as error:
            return f"no model was kept: {error}"
        if self.request.is_best_on_test:
            return f"model: {path} (chosen on test, hence not registered)"
        return f"model: {path}\n{register_now(path, settings, is_sent=is_sent)}"

    def keep(self) -> Path:
        """Write the model file.

        Raises:
            DataError: the backbone's weights cannot be had.
            CheckpointError: the final run's checkpoint is damaged.
        """
        contender, split = self.result.tested.contender, test_split(self.dataset)
        final = contender.folder(self.result.folder / FINAL_FOLDER, self._seed)
        config = contender.run_config(self._seed)
        _, state = load_latest(final)
        logits = Logits.load(final / LOGITS_FILE)
        record = record_of(config, self.dataset, split, logits, self._selection(config))
        manifest = (
            None if self.features is None else FeatureStore.open(Path(self.features)).manifest
        )
        model = make_model(state, config, self.dataset, split, record, manifest=manifest)
        path = self.result.folder / MODEL_FILE
        model.save(path)
        return path

    @property
    def _seed(self) -> int:
        return self.result.tested.contender.seeds[0]

    def _selection(self, config: Config) -> Mapping[str, str | float]:
        metric = self.request.objective
        return {
            "metric": metric,
            "value": self.result.winner.metrics[metric],
            "split_hash": validation_split(self.dataset, config.validation).hash,
            "protocol": self.result.protocol,
            "experiment": self.experiment,
            "run": final_key(self.request.key, self.result.tested.contender, self._seed),
        }
