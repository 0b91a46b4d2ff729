#!/usr/bin/env python
"""``drmn ablate`` as a script, for clusters.

From a checkout: ``ray job submit --working-dir . -- orchestration/ablation.py --dataset sun``;
the job's shell runs the file itself, hence the first line and the run bit.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # As a script, this folder is where imports start: the packages lie one above.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    from orchestration.cli import ablation_main

    ablation_main()
