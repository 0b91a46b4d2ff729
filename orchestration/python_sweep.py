"""A sweep from Python: what ``drmn-sweep`` asks for, as an object.

```python
from orchestration import Sweep

sweep = Sweep("sprites", trials=4, settings={"training.epochs": 3})
result = sweep.run()
result.tested.means()["gzsl_harmonic"]
```
"""

import datetime as dt
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from drmn.config_tree import Scalar
from drmn.variants import ENSEMBLE
from orchestration.datasets import SPRITES, resolve_data_root
from orchestration.finishing import SweepResult
from orchestration.planning.plan import Plan
from orchestration.recipe import recipe
from orchestration.request import Resources, SweepRequest
from orchestration.settings import read_settings
from orchestration.sweep import plan_sweep, run_sweep
from search_spaces.domain import SearchSpace, checked
from search_spaces.registry import search_space


class Sweep:
    """One sweep. Places (Ray, MLflow, stores) come from the environment, as for the command.

    Args:
        dataset: ``sprites``, ``cub``, ``sun``, ``awa2``, ``cifar-awa2`` or a folder's name.
        data_root: holds one folder per data set; None: the environment's.
        trials: how many configurations to try.
        settings: overrides of the preset by dotted path, such as ``{"training.epochs": 5}``.
        space: what is searched, by dotted path; None: the data set's own space, or the paper's.
        variant: a row of Table 2 or 3.
        name: of the sweep; None: data set and time.
        seed: of search and training.
        console: where progress goes; None: the terminal or notebook.
        options: any other field of :class:`orchestration.request.SweepRequest`, such as
            ``final_seeds=3`` or ``pruning=PruningRule(pruner="median")``.

    Raises:
        ConfigError: an unknown setting, a domain outside its range, or options that contradict.
    """

    def __init__(
        self,
        dataset: str = SPRITES,
        *,
        data_root: Path | str | None = None,
        trials: int = 16,
        settings: Mapping[str, Scalar] | None = None,
        space: SearchSpace | None = None,
        variant: str = ENSEMBLE.name,
        name: str | None = None,
        seed: int = 0,
        console: Console | None = None,
        **options: Any,
    ) -> None:
        self._settings = read_settings()
        self._console = console or Console(soft_wrap=True)
        config = recipe(dataset, variant, {"training.seed": seed, **(settings or {})})
        root = None if data_root is None else Path(data_root)
        key = config.data.dataset
        options.setdefault("resources", Resources(gpus=float(torch.cuda.is_available())))
        self.request = SweepRequest(
            name=name or f"{key}-{dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}",
            identity=uuid.uuid4().hex[:8],
            variant=variant,
            config=config,
            space=search_space(key) if space is None else checked(space),
            data_root=resolve_data_root(dataset, root, self._settings, self._console),
            num_trials=trials,
            seed=seed,
            **options,
        )

    @property
    def folder(self) -> Path:
        """The sweep's own files."""
        return self._settings.sweep_folder(self.request.name)

    def plan(self) -> Plan:
        """What :meth:`run` would cost; nothing runs but a short calibration.

        Raises:
            ConfigError: the request cannot be carried out, with the reason.
            DataError: the data set cannot be used.
        """
        return plan_sweep(self.request, self._settings, self._console)

    def run(self) -> SweepResult:
        """Search on validation, then train the winner on trainval and test it once per seed.

        What was interrupted is continued with ``resume=True`` of
        :func:`orchestration.sweep.run_sweep`, or ``drmn runs resume NAME``.

        Raises:
            DrmnError: as :func:`orchestration.sweep.run_sweep`.
        """
        return run_sweep(self.request, self._settings, self._console)
