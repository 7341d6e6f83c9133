"""What a dashboard refuses is one sentence; tests/orchestrator/commands/test_submit.py has it with a real one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ray.exceptions import AuthenticationError

from cluster.job_client import job_client, plain_refusals
from search_spaces.errors import InputError

AT = "http://head:8265"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (AuthenticationError("a token\nover several lines"), "wants another token"),
        (ConnectionError("Failed to connect to Ray"), "must be reachable, but Failed to connect to Ray"),
        (
            RuntimeError(
                "Request failed with status code 500: Traceback (most recent call last):\n  File x\n"
                "ValueError: Job with submission_id mine already exists. Please use a different submission_id.\n."
            ),
            "a job has the id mine already",
        ),
        (
            RuntimeError("status code 500: Traceback (most recent call last):\n  File x\nKeyError: 'what'\n"),
            "must take the job, but KeyError: 'what'",
        ),
    ],
    ids=["token", "dead", "used id", "any other"],
)
def test_what_a_dashboard_refuses_is_one_sentence(error: Exception, sentence: str) -> None:
    with pytest.raises(InputError) as refused, plain_refusals(AT):
        raise error
    assert sentence in refused.value.law
    assert "\n" not in refused.value.law


def test_a_cluster_of_another_ray_is_refused_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ray.job_submission.JobSubmissionClient", lambda address: SimpleNamespace(_server_ray_version="2.50.0")
    )
    with pytest.raises(InputError, match=r"but it runs 2\.50\.0"):
        job_client(AT)
