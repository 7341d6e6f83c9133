"""Explain the words of a report to a reader who has not seen one."""

from __future__ import annotations

from collections.abc import Mapping

TERMS: Mapping[str, str] = {
    "arm": "One complete way to build and train a model. The base is one; every other arm differs from it as its name "
    "says.",
    "axis": "A design choice that varies: encoder, resolution, data, ...",
    "trial": "An arm trained and scored with one seed.",
    "seed": "A replicate of an arm: the same choices with other initial weights and another order of the data.",
    "benchmark": "A set of questions with right answers; an arm's score on it is 100 x the mean score of an answer.",
    "points": "Units of such scores, 0 to 100. Differences of scores are in points, too.",
    "95 % interval": "A range that holds the true value in 95 of 100 such studies. It covers what other seeds and "
    "other images would have given.",
    "clear": "Said of a difference whose interval excludes 0, and that stands out among all comparisons of the report.",
    "p": "How often a difference at least as large would be seen if there were none; corrected for several claims.",
    "holds, does not hold, open": "A claim holds, or does not, only where the results show it; else it is open, which "
    "says nothing about whether arms are equal.",
    "no signal": "The arm is not shown to score higher than what needs no image, so that its score says nothing of "
    "what it sees.",
    "what needs no image": "The score of the answer that is best when it is always given, and others of that kind.",
    "unread": "Answers in which no answer could be found, such as a word where a number was asked for. They score 0.",
}
"""Term -> its meaning."""
