"""Distribution functions under the names of statistics. SciPy is loaded when one is first asked for: who shows a report
that is kept needs none."""

from __future__ import annotations

from typing import Any


def normal_cdf(x: Any) -> Any:
    """Compute the probability that a standard normal variable is at most `x`, a number or an array."""
    from scipy.special import ndtr

    return ndtr(x)


def normal_quantile(p: Any) -> Any:
    """Compute the value that a standard normal variable does not exceed with probability `p`, a number or an array."""
    from scipy.special import ndtri

    return ndtri(p)


def t_cdf(df: Any, t: Any) -> Any:
    """Compute the probability that a variable of Student's t distribution is at most `t`."""
    from scipy.special import stdtr

    return stdtr(df, t)


def t_quantile(df: Any, p: Any) -> Any:
    """Compute the value that a variable of Student's t distribution does not exceed with probability `p`."""
    from scipy.special import stdtrit

    return stdtrit(df, p)


def chi2_upper_quantile(df: Any, p: Any) -> Any:
    """Compute the value that a chi-squared variable exceeds with probability `p`."""
    from scipy.special import chdtri

    return chdtri(df, p)


def f_upper_tail(df_numerator: Any, df_denominator: Any, ratio: Any) -> Any:
    """Compute the probability that a variable of the F distribution exceeds `ratio`."""
    from scipy.special import fdtrc

    return fdtrc(df_numerator, df_denominator, ratio)
