"""How well the pretend GPUs were used, and how long the driver let them wait."""

from bisect import bisect_left
from collections.abc import Sequence
from statistics import fmean, median

from simulated_clock import Record


def summary(record: Record, began_s: float, num_slots: int) -> dict[str, object]:
    """Of one run: shares of time, and seconds.

    "steady" is from where every slot has begun its first epoch to where the last trial began:
    before it the cluster fills, after it there is nothing left to begin.
    """
    ended_s = max(end for _, end in record.epochs)
    filled_s = sorted(start for start, _ in record.epochs)[:num_slots]
    steady = filled_s[-1], max(record.trial_starts)
    latencies = sorted(record.late_s.get("train", []) + record.late_s.get("save", []))
    return {
        "num_epochs": len(record.epochs),
        "num_events": sum(map(len, record.late_s.values())),
        "makespan_s": ended_s - began_s,
        "filled_after_s": steady[0] - began_s,
        "steady_s": steady[1] - steady[0],
        "utilisation": used(record.epochs, began_s, ended_s, num_slots),
        "utilisation_steady": used(record.epochs, *steady, num_slots),
        "latency_s": {
            "mean": fmean(latencies),
            "p50": quantile(latencies, 0.5),
            "p99": quantile(latencies, 0.99),
            "max": latencies[-1],
        },
        "load": load(record.idle, *steady),
        "handling_s": {name: fmean(took) for name, took in record.handling_s.items()},
        "between_s": fmean(record.between_s),
        "ask_s": {"mean": fmean(record.ask_s), "last": median(record.ask_s[-50:])},
        "num_fsyncs": record.num_fsyncs,
        "most_live": record.most_live,
        "num_actors_made": record.num_actors_made,
    }


def used(
    epochs: Sequence[tuple[float, float]], start_s: float, end_s: float, num_slots: int
) -> float | None:
    """The share of slots' time in which they trained; None for an empty time."""
    if end_s <= start_s:
        return None
    inside = sum(max(0.0, min(end, end_s) - max(start, start_s)) for start, end in epochs)
    return inside / (num_slots * (end_s - start_s))


def load(idle: Sequence[tuple[float, float]], start_s: float, end_s: float) -> float | None:
    """The share of the time that the driver was at work; None for an empty time."""
    if end_s <= start_s:
        return None
    first, last = (
        idle[min(len(idle) - 1, bisect_left(idle, (at, 0.0)))] for at in (start_s, end_s)
    )
    return 1.0 - (last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else None


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of ascending values, the smallest that ``share`` of them do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
