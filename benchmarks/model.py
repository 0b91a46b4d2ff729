"""Speed and memory of the model against ``literal``: prints tables, writes JSON and a figure.

Every ratio comes from one run: literal and ours in turn, in the same process, medians of several
repeats. Peak memory is the rise of the resident high-water mark during one step, in a fresh
process per case. ``python benchmarks/model.py --quick`` is a check of a minute or so at small
sizes and writes nothing unless told where.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from cases import DualAttentionCase, InferenceCase, TransformerCase, peak_step
from cuda_model import measure_cuda
from measuring import (
    MIB,
    compare,
    machine,
    matrix_rates,
    peak_bytes,
    peak_in_fresh_process,
    relative_difference,
)

from drmn.model import products

HERE = Path(__file__).resolve()
RESULTS = HERE.parent / "results" / "model.json"
FIGURE = HERE.parents[1] / "docs" / "figures" / "sit_memory.png"
Row = dict[str, float]


def measure_dab(num_attributes: int, *, repeats: int) -> Row:
    """Time, peak memory and agreement of the dual attention block."""
    case = DualAttentionCase(num_attributes)
    timing = compare(case.literal, case.ours, repeats)
    literal_peak, ours_peak = _peaks(f"dab:{num_attributes}")
    return {
        "A": num_attributes,
        **asdict(timing),
        "speedup_with_torch_mm": _speedup_with_torch_mm(case, repeats),
        "literal_peak_mib": literal_peak / MIB,
        "ours_peak_mib": ours_peak / MIB,
        "memory_ratio": ours_peak / literal_peak,
        **_differences(case),
    }


def _differences(case: DualAttentionCase) -> Row:
    """Of the scores, and of the worst of the six gradients, in each precision.

    A hidden unit of Eq. 4 that rounding puts on the other side of ReLU's kink changes its
    gradient, in ours and in literal alike: hence literal's own distance from its float64 result.
    """
    wide = case.in_float64()
    exact, narrow = wide.literal(), case.literal()
    pairs = {
        "float32": (case.ours(), narrow),
        "float64": (wide.ours(), exact),
        "literal_float32_from_float64": ([x.double() for x in narrow], exact),
    }
    row = {}
    for name, (actual, expected) in pairs.items():
        differences = list(map(relative_difference, actual, expected))
        row |= {f"scores_{name}": differences[0], f"gradients_{name}": max(differences[1:])}
    return row


def _speedup_with_torch_mm(case: DualAttentionCase, repeats: int) -> float:
    """What is left of the speed-up when both sides use the same matrix library."""
    onednn, products._ONEDNN_LINEAR = products._ONEDNN_LINEAR, None
    try:
        return compare(case.literal, case.ours, repeats).speedup
    finally:
        products._ONEDNN_LINEAR = onednn


def measure_sit(num_tokens: int, channels: int, *, repeats: int) -> Row:
    case = TransformerCase(num_tokens, channels)
    timing = compare(case.literal, case.ours, repeats)
    return {"N": num_tokens, "C": channels, **asdict(timing)}


def measure_sit_memory(sizes: list[int], literal_sizes: list[int], channels: int) -> list[Row]:
    rows = []
    for num_tokens in sizes:
        row: Row = {"N": num_tokens, "C": channels}
        if num_tokens in literal_sizes:
            row["literal_peak_mib"] = _peak(f"sit:{num_tokens}:{channels}:literal") / MIB
        row["ours_peak_mib"] = _peak(f"sit:{num_tokens}:{channels}:ours") / MIB
        rows.append(row)
    return rows


def measure_inference(num_attributes: int, num_classes: int, *, repeats: int) -> Row:
    case = InferenceCase(num_attributes, num_classes)
    timing = compare(case.literal, case.ours, repeats)
    rates = matrix_rates()
    rate = case.flops() / timing.ours_s / 1e9
    return {
        "A": num_attributes,
        "K": num_classes,
        **asdict(timing),
        "images_per_s": case.batch / timing.ours_s,
        "gflop_per_s": rate,
        "measured_gflop_per_s": max(rates.values()),
        "share_of_measured_rate": rate / max(rates.values()),
        "scores_float32": relative_difference(case.ours(), case.literal()),
    }


def _peak(case: str) -> int:
    return peak_in_fresh_process(HERE, case)


def _peaks(case: str) -> tuple[int, int]:
    return _peak(f"{case}:literal"), _peak(f"{case}:ours")


def measure(*, quick: bool) -> dict[str, object]:
    repeats = 3 if quick else 5
    attributes = [85] if quick else [85, 102, 312]
    widths = [256] if quick else [256, 1024]
    num_tokens = 1360 if quick else 5440  # 5440 = 32 images of 170 attributes
    sizes = [680, 1360] if quick else [680, 1360, 2720, 5440, 10880]
    return {
        "machine": machine(),
        "matrix_product_gflop_per_s": matrix_rates(),
        "dab": [measure_dab(a, repeats=repeats) for a in attributes],
        "sit": [measure_sit(num_tokens, c, repeats=3) for c in widths],
        "sit_memory": measure_sit_memory(sizes, sizes[:4], 256),
        "inference": [measure_inference(312, 200, repeats=repeats)],
        "cuda": measure_cuda(),
    }


def table(title: str, rows: list[Row]) -> str:
    """Plain text, one column per key of any row."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    cells = [keys, *([_cell(row.get(key)) for key in keys] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join([title, *lines, ""])


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def draw_memory(rows: list[Row], path: Path) -> None:
    """Peak memory over N, both axes logarithmic: slope 1 is linear, slope 2 quadratic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 3.8), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="tokens N = B A")
    axes.set_ylabel("peak memory of one step, MiB")
    for key, label in (("literal_peak_mib", "literal"), ("ours_peak_mib", "ours")):
        known = [row for row in rows if key in row]
        axes.plot([r["N"] for r in known], [r[key] for r in known], marker="o", label=label)
    axes.set_title(f"SIT forward and backward, C = {rows[0]['C']:g}, 4 heads, dropout 0.5")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, few repeats")
    parser.add_argument("--output", type=Path, help=f"JSON file (default, unless quick: {RESULTS})")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak:
        print(json.dumps(peak_bytes(*peak_step(arguments.peak))))
        return
    results = measure(quick=arguments.quick)
    print("machine:", json.dumps(results["machine"]))
    for name in ("dab", "sit", "sit_memory", "inference", "cuda"):
        rows = results[name]
        print(table(name, rows) if rows else f"{name}: missing, no such device here\n")
    output = arguments.output or (None if arguments.quick else RESULTS)
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(results, indent=1) + "\n")
    if not arguments.quick:
        draw_memory(results["sit_memory"], FIGURE)


if __name__ == "__main__":
    main()
