"""A sweep's request on disk, so that the sweep can be continued by its name alone."""

import difflib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from drmn.atomic import replacing
from drmn.config import Config
from drmn.errors import ConfigError
from drmn.reading import reading
from orchestration.pruning_rule import PruningRule
from orchestration.request import Resources, SweepRequest
from orchestration.retention_rule import Retention
from orchestration.sampling import SamplerRule
from orchestration.stopping.budget import Budget
from search_spaces.domain import Choice, Domain, LogUniform, Uniform

REQUEST_FILE = "request.json"
_KINDS: dict[str, type[Uniform] | type[LogUniform]] = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
}


def save_request(request: SweepRequest, folder: Path) -> None:
    """Write it; a folder that already holds a request is another sweep's.

    Raises:
        ConfigError: the sweep exists.
    """
    check_is_new(request.name, folder)
    write_request(request, folder)


def write_request(request: SweepRequest, folder: Path) -> None:
    """Write it, also over an earlier one of the same sweep."""
    content = {
        "name": request.name,
        "identity": request.identity,
        "variant": request.variant,
        "config": request.config.flat(),
        "space": {path: _domain_to_json(domain) for path, domain in request.space.items()},
        "data_root": str(request.data_root.resolve()),
        "num_trials": request.num_trials,
        "max_concurrent": request.max_concurrent,
        "resources": asdict(request.resources),
        "pruning": asdict(request.pruning),
        "budget": asdict(request.budget),
        "seed": request.seed,
        "final_seeds": request.final_seeds,
        "paper_final": request.paper_final,
        "measure_gpus": request.measure_gpus,
        "objectives": list(request.objectives),
        "beta": request.beta,
        "sampler": asdict(request.sampler),
        "enqueued": [dict(values) for values in request.enqueued],
        "paper_first": request.paper_first,
        "warm_start": list(request.warm_start),
        "features": request.features,
        "split_hash": request.split_hash,
        "keep_checkpoints": request.keep_checkpoints,
    }
    with replacing(folder / REQUEST_FILE) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def check_is_new(name: str, folder: Path) -> None:
    """Raise where a sweep of this name was begun before.

    Raises:
        ConfigError: the sweep exists.
    """
    if (folder / REQUEST_FILE).exists():
        raise ConfigError(
            f"a sweep named {name!r} exists already in {folder}",
            f"continue it with `drmn runs resume {name}`, or give another --name",
        )


def load_request(folder: Path) -> SweepRequest:
    """Inverse of :func:`save_request`.

    Raises:
        ConfigError: there is no sweep in ``folder``.
        DataError: the file is not a request.
    """
    path = folder / REQUEST_FILE
    if not path.exists():
        known = sorted(p.parent.name for p in folder.parent.glob(f"*/{REQUEST_FILE}"))
        close = difflib.get_close_matches(folder.name, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(
            f"there is no sweep {folder.name!r} in {folder.parent}; known: "
            f"{', '.join(known) or 'none'}",
            f"{hint}list them with `drmn runs list`",
        )
    with reading(path, "a sweep's request", "fetch it from a copy, or begin the sweep anew"):
        return _from_json(json.loads(path.read_text()))


def _from_json(content: dict[str, Any]) -> SweepRequest:
    return SweepRequest(
        **{
            **content,
            "config": Config.from_flat(content["config"]),
            "space": {path: _domain_from_json(raw) for path, raw in content["space"].items()},
            "data_root": Path(content["data_root"]),
            "resources": Resources(**content["resources"]),
            "pruning": PruningRule(**content["pruning"]),
            "objectives": tuple(content["objectives"]),
            "sampler": SamplerRule(**content["sampler"]),
            "enqueued": tuple(content["enqueued"]),
            "warm_start": tuple(content["warm_start"]),
            "budget": Budget(**content["budget"]),
            "keep_checkpoints": Retention(content.get("keep_checkpoints", Retention.BEST_AND_LAST)),
        }
    )


def _domain_to_json(domain: Domain) -> dict[str, Any]:
    if isinstance(domain, Choice):
        return {"kind": "choice", "options": list(domain.options)}
    kind = "log_uniform" if isinstance(domain, LogUniform) else "uniform"
    return {"kind": kind, "low": domain.low, "high": domain.high}


def _domain_from_json(raw: dict[str, Any]) -> Domain:
    if raw["kind"] == "choice":
        return Choice(options=tuple(raw["options"]))
    return _KINDS[raw["kind"]](low=raw["low"], high=raw["high"])
