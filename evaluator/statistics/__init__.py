"""Quantiles, pass@k, source problems, sequential sampling and bootstrap.

The bounds that gates use are in policies/bounds.py, where decisions need them too.
"""

from evaluator.statistics.descriptive import mean_pass_at_k, pass_at_k, quantile
from evaluator.statistics.problems import source_problem

__all__ = ["mean_pass_at_k", "pass_at_k", "quantile", "source_problem"]
