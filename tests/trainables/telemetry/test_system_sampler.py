"""Claims about samples of the machine: one thread per trial and node, which ends with the trial."""

from __future__ import annotations

import threading

from trainables.telemetry.system_sampler import SystemSampler


def test_a_sampler_ends_with_its_trial_and_leaves_at_least_one_sample() -> None:
    samples: list[dict[str, float]] = []
    before = threading.active_count()
    sampler = SystemSampler(0, lambda seconds, values: samples.append(values), period_s=3600).start()
    sampler.close()
    assert threading.active_count() == before
    (sample,) = samples
    assert set(sample) >= {"system/node_0/cpu_percent", "system/node_0/memory_gb", "system/node_0/worker_memory_gb"}
    assert sampler.peak_memory_gb() > 0


def test_a_sampler_that_cannot_write_ends_and_costs_nothing() -> None:
    def broken(seconds: float, values: dict[str, float]) -> None:
        raise OSError("disk full")

    sampler = SystemSampler(0, broken, period_s=0).start()
    sampler.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "system-sampler"]


def test_a_sampler_repeats_until_it_is_closed() -> None:
    enough, times = threading.Event(), []

    def write(seconds: float, values: dict[str, float]) -> None:
        times.append(seconds)
        if len(times) == 3:
            enough.set()

    sampler = SystemSampler(8, write, period_s=0).start()
    assert enough.wait(60)
    sampler.close()
    assert times == sorted(times)
