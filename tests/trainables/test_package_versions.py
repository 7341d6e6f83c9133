"""The versions of packages are recorded with stages, trials and studies."""

from __future__ import annotations

from trainables.package_versions import STAGE_PACKAGES, WORKER_PACKAGES, installed_versions


def test_a_package_that_is_not_there_is_named() -> None:
    assert installed_versions(["no-such-package"]) == {"no-such-package": "not installed"}


def test_what_may_change_weights_is_recorded_with_every_trial() -> None:
    assert set(STAGE_PACKAGES) < set(WORKER_PACKAGES)
    assert list(installed_versions(STAGE_PACKAGES)) == list(STAGE_PACKAGES)
