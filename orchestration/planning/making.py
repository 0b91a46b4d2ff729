"""From a request to its plan: calibrate on the cluster, multiply, refuse what cannot be done."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import ray
import torch

from drmn.config import Config
from drmn.data.dataset import Dataset
from drmn.data.images import images
from drmn.data.store.features import FeatureStore
from drmn.data.store.given_features import GIVEN, ensure_given_features
from drmn.data.store.making import feature_settings, features_folder
from drmn.errors import ConfigError, DrmnError
from drmn.model.backbone import build_backbone
from drmn.model.levels import LevelSpec
from orchestration.cluster import nodes
from orchestration.planning.affordable import num_trials_planned
from orchestration.planning.calibration import Calibration, calibrate
from orchestration.planning.disk import Demand, check_room, store_bytes
from orchestration.planning.expectation import expect
from orchestration.planning.packing import (
    check_share,
    gpu_share,
    trials_at_once,
    trials_in_memory,
)
from orchestration.planning.plan import Places, Plan, check_budget, fingerprint
from orchestration.pruning.choice import build_rule
from orchestration.pruning.rule import NoPruning
from orchestration.request import Resources, SweepRequest
from orchestration.settings import Settings
from orchestration.stopping.budget import OPEN_ENDED
from orchestration.trainable import TrialContext

_MAX_CALIBRATIONS = 8
_CALIBRATION_LIMIT_S = 900.0
_CALIBRATE = ray.remote(calibrate)


@dataclass(frozen=True, kw_only=True)
class Levels:
    """A feature store that is there, or is yet to be made; neither where images come live."""

    folder: Path | None
    specs: tuple[LevelSpec, ...]
    exists: bool


def find_levels(dataset: Dataset, config: Config, cache_root: Path) -> Levels:
    """Where a request's features lie, or would; none are computed from pictures."""
    if config.backbone.train != "none":
        return Levels(folder=None, specs=(), exists=True)
    if config.backbone.weights == GIVEN:
        given = ensure_given_features(dataset, cache_root)
        return Levels(folder=given.path, specs=given.specs, exists=True)
    backbone, size = build_backbone(config.backbone), config.data.image_size
    settings = feature_settings(
        dataset,
        config.backbone.name,
        backbone.weights_hash,
        size,
        pictures=images(dataset).fingerprint(dataset.image_paths),
    )
    folder = features_folder(settings, cache_root)
    if folder.is_dir():
        return Levels(folder=folder, specs=FeatureStore.open(folder).specs, exists=True)
    return Levels(folder=folder, specs=backbone.specs(size), exists=False)


def with_measured_share(request: SweepRequest, dataset: Dataset, cache_root: Path) -> SweepRequest:
    """``request`` with the share of a GPU that its trials need; 0 where no node has a GPU.

    Raises:
        ConfigError: a trial does not fit on a GPU.
    """
    has_gpu = any(node.gpus >= 1 for node in nodes())
    whole = replace(request.resources, gpus=float(has_gpu))
    if not has_gpu:
        return replace(request, resources=whole)
    levels = find_levels(dataset, request.config, cache_root)
    measured, _ = _measured(replace(request, resources=whole), levels, 1)
    share = gpu_share(measured.gpu_bytes, measured.gpu_total_bytes)
    return replace(request, resources=replace(whole, gpus=share))


def make_plan(request: SweepRequest, dataset: Dataset, settings: Settings) -> Plan:
    """Calibrate and plan, on the cluster that Ray is connected to.

    Raises:
        ConfigError: it cannot be done: memory, disk or a GPU is too small.
        DrmnError: the calibration failed.
    """
    levels = find_levels(dataset, request.config, settings.cache_root)
    at_once = trials_at_once(nodes(), cpus=request.resources.cpus, gpus=request.resources.gpus)
    at_once = min(at_once, request.max_concurrent or at_once, request.num_trials)
    measured, worker_start_s = _measured(request, levels, min(at_once, _MAX_CALIBRATIONS))
    plan = _multiplied(request, settings, dataset, levels, measured, at_once)
    plan = replace(plan, worker_start_s=worker_start_s)
    check_room(_demands(plan))
    check_budget(request.budget, plan)
    return plan


def _multiplied(
    request: SweepRequest,
    settings: Settings,
    dataset: Dataset,
    levels: Levels,
    measured: Calibration,
    at_once: int,
) -> Plan:
    epochs = request.config.training.epochs
    in_memory = trials_in_memory(nodes(), measured.base_bytes + measured.trial_bytes)
    concurrency = min(at_once, in_memory)
    num_trials = num_trials_planned(request, measured, concurrency)
    check_share(request.resources.gpus, measured.gpu_bytes, measured.gpu_total_bytes)
    pruned = expect(
        lambda: build_rule(request.pruning, epochs), num_trials=num_trials, concurrency=concurrency
    )
    return Plan(
        request=fingerprint(request),
        name=request.name,
        num_trials=num_trials,
        is_open_ended=request.num_trials == OPEN_ENDED,
        max_epochs=epochs,
        concurrency=concurrency,
        gpus=request.resources.gpus,
        fit_in_memory=in_memory,
        fit_on_gpus=_per_gpu(measured),
        num_final_runs=request.final_seeds * (1 + request.paper_final),
        num_images=len(dataset.labels),
        worker_start_s=0.0,
        rungs=tuple(pruned.rungs(num_trials)),
        pruned=pruned,
        unpruned=expect(
            lambda: NoPruning(max_epochs=epochs), num_trials=num_trials, concurrency=concurrency
        ),
        measured=measured,
        places=Places(
            store=None if levels.folder is None else str(levels.folder),
            store_bytes=store_bytes(levels.specs, len(dataset.labels)),
            store_exists=levels.exists,
            checkpoints=settings.sweep_storage,
            num_checkpoints=num_trials * min(request.retention.num_kept or epochs, epochs),
        ),
    )


def _per_gpu(measured: Calibration) -> int | None:
    if not measured.gpu_total_bytes:
        return None
    return math.floor(1 / gpu_share(measured.gpu_bytes, measured.gpu_total_bytes))


def _demands(plan: Plan) -> list[Demand]:
    demands = [
        Demand(
            what="the trials' checkpoints",
            place=plan.places.checkpoints,
            size_bytes=plan.checkpoints_bytes,
            remedy="set DRMN_SWEEP_STORAGE to a larger place, or give fewer --trials",
        )
    ]
    if plan.places.store is not None and not plan.places.store_exists:
        store = Demand(
            what="the feature store",
            place=plan.places.store,
            size_bytes=plan.places.store_bytes,
            remedy="set DRMN_HOME to a larger disk, or give a smaller --image-size",
        )
        demands.append(store)
    return demands


def _measured(request: SweepRequest, levels: Levels, num_workers: int) -> tuple[Calibration, float]:
    """Means of times and maxima of sizes over so many workers at once; a worker's start."""
    context = TrialContext(
        config=request.config.flat(),
        data_root=str(request.data_root),
        features=str(levels.folder) if levels.folder and levels.exists else None,
        num_threads=max(1, int(request.resources.cpus)),
        on_gpu=request.resources.gpus > 0,
    )
    specs = None if levels.exists else levels.specs
    task = _CALIBRATE.options(
        num_cpus=request.resources.cpus, num_gpus=request.resources.gpus, max_retries=0
    )
    started = time.monotonic()
    ray.get(_FIRST_LINE.options(num_cpus=request.resources.cpus).remote())
    worker_start_s = time.monotonic() - started
    found = _fetched([task.remote(context, specs) for _ in range(num_workers)], request.resources)
    return _combined(found), worker_start_s


def _first_line() -> None:
    """A process is there, and has imported what a trial imports."""


_FIRST_LINE = ray.remote(_first_line)


def _fetched(tasks: Sequence[object], resources: Resources) -> list[Calibration]:
    try:
        found: list[Calibration] = ray.get(list(tasks), timeout=_CALIBRATION_LIMIT_S)
    except ray.exceptions.GetTimeoutError as error:
        raise DrmnError(
            f"two batches and a short evaluation took more than {_CALIBRATION_LIMIT_S:.0f} s",
            "give a trial more --cpus-per-trial or a GPU, or wait until the cluster is free",
        ) from error
    except ray.exceptions.OutOfMemoryError as error:
        raise ConfigError(
            "a trial needs more memory than its node has: the calibration was killed",
            "set data.image_size or model.fusion.channels lower, or --max-concurrent",
        ) from error
    except ray.exceptions.RayTaskError as error:
        raise _cause(error, resources) from error
    return found


def _cause(error: object, resources: Resources) -> Exception:
    cause = getattr(error, "cause", None)
    if isinstance(cause, torch.cuda.OutOfMemoryError):
        return ConfigError(
            f"a trial does not fit on {resources.gpus:g} GPU: {cause}",
            "give --gpus-per-trial 1 or auto, or a smaller data.image_size",
        )
    if isinstance(cause, DrmnError):
        return cause
    assert isinstance(error, Exception)
    return error


def _combined(found: Sequence[Calibration]) -> Calibration:
    """The largest worker's sizes with all workers' mean times."""
    times = [each.name for each in fields(Calibration) if each.name.endswith("_s")]
    means = {name: sum(getattr(each, name) for each in found) / len(found) for name in times}
    largest = max(found, key=lambda each: (each.gpu_bytes, each.trial_bytes))
    return replace(largest, **means)
