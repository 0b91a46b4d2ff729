"""Tables 2 and 3 of the paper, (Acc, H) in per cent, by row and data set."""

PAPER_ROWS: dict[str, dict[str, tuple[float, float]]] = {
    "cub": {
        "baseline": (71.5, 64.9),
        "+MFF": (79.7, 73.3),
        "+ACA": (74.0, 66.9),
        "+DAB": (81.0, 74.5),
        "+SIT": (74.9, 67.5),
        "+DAB+SIT": (81.2, 75.3),
        "+global": (82.5, 76.1),
        "+ensemble": (82.5, 76.8),
    },
    "sun": {
        "baseline": (60.6, 34.8),
        "+MFF": (63.5, 38.5),
        "+ACA": (61.9, 39.0),
        "+DAB": (64.4, 39.2),
        "+SIT": (62.9, 35.9),
        "+DAB+SIT": (64.5, 40.0),
        "+global": (66.9, 42.3),
        "+ensemble": (66.9, 45.8),
    },
}
"""+DAB is Table 3's MFF+ACA."""
