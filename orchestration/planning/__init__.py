"""What a sweep will cost, before it runs: expected pruning, a calibration, what fits where."""
