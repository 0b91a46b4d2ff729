"""An ablation study: named rows of overrides, over data sets and seeds, compared with intervals."""
