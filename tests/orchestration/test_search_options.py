"""What the search options mean for a request."""

from pathlib import Path
from typing import Any

from drmn.names import OBJECTIVE
from drmn.presets import sprites
from orchestration.objective import AT_ANY_BETA
from orchestration.pruning_rule import Pruner
from orchestration.request import BetaMode
from orchestration.sampling import SamplerName, SamplerRule
from orchestration.search_options import pruner_for, searched
from orchestration.stopping.budget import OPEN_ENDED, Budget
from search_spaces.paper import BETA


def _searched(**changes: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "trials": None,
        "budget": Budget(),
        "pruner": Pruner.ASHA,
        "sampler": SamplerRule(),
        "enqueue": None,
        "paper_first": True,
        "warm_start": None,
        "objectives": None,
        "beta": BetaMode.SEARCH,
    }
    return searched(sprites(), **(options | changes))


def test_the_default_searches_four_settings_for_the_harmonic_mean() -> None:
    found = _searched()
    assert BETA in found["space"]
    assert len(found["space"]) == 4
    assert (found["objectives"], found["num_trials"]) == ((OBJECTIVE,), 16)


def test_a_budget_without_a_number_of_trials_is_what_ends_the_search() -> None:
    assert _searched(budget=Budget(wall_h=1))["num_trials"] == OPEN_ENDED
    assert _searched(budget=Budget(wall_h=1), trials=5)["num_trials"] == 5
    assert _searched(budget=Budget(wall_h=1), pruner=Pruner.PBT)["num_trials"] == 16
    grid = SamplerRule(name=SamplerName.GRID, grid_points=2)
    assert _searched(budget=Budget(wall_h=1), sampler=grid)["num_trials"] == 2**4 + 1


def test_the_exact_beta_leaves_the_space_and_becomes_part_of_the_objective() -> None:
    found = _searched(beta=BetaMode.EXACT)
    assert BETA not in found["space"]
    assert len(found["space"]) == 3
    assert found["objectives"] == (AT_ANY_BETA,)
    assert _searched(beta=BetaMode.EXACT, objectives=["val/czsl_top1"])["objectives"] == (
        "val/czsl_top1",
    )


def test_the_grid_gives_the_number_of_trials(tmp_path: Path) -> None:
    grid = SamplerRule(name=SamplerName.GRID, grid_points=2)
    assert _searched(sampler=grid)["num_trials"] == 2**4 + 1
    assert _searched(sampler=grid, paper_first=False)["num_trials"] == 2**4
    file = tmp_path / "first.yaml"
    file.write_text("- {beta: 0.5}\n")
    found = _searched(sampler=grid, enqueue=file)
    assert found["num_trials"] == 2**4 + 2
    assert found["enqueued"][0][BETA] == 0.5


def test_two_objectives_leave_no_room_for_asha_unless_it_is_asked_for() -> None:
    assert pruner_for(None, None) == Pruner.ASHA
    assert pruner_for(None, ["a", "b"]) == Pruner.NONE
    assert pruner_for(Pruner.ASHA, ["a", "b"]) == Pruner.ASHA
