"""Sample the load of the machine that a trial runs on: one sampler per node, while a trial is open there.

A thread of the node's first worker samples every ten seconds and writes to a spool; it ends with the trial. It sees the
whole node's processor and memory, and of the GPUs only those that the worker itself may use.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from search_spaces.error_text import named_message
from trainables.storage import tracked_names

PERIOD_S = 10.0

Write = Callable[[float, dict[str, float]], None]
"""Receives the seconds since the sampler began, and values by metric."""


class SystemSampler:
    """Thread that samples processor, memory and GPUs of a node until `close`.

    Args:
        node: number of the node in metric names `system/node_<node>/...`.
        write: where samples go; called in the sampler's own thread.
        period_s: seconds between two samples.
    """

    def __init__(self, node: int, write: Write, period_s: float = PERIOD_S):
        self._prefix, self._write, self._period_s = tracked_names.node_metrics(node), write, period_s
        self._began = time.monotonic()
        self._over = threading.Event()
        self._process = psutil.Process()
        self._gpus = _visible_gpus()
        self._peak_gb = 0.0
        self._thread = threading.Thread(target=self._work, name="system-sampler", daemon=True)

    def start(self) -> SystemSampler:
        psutil.cpu_percent()  # since this call the next one counts
        self._thread.start()
        return self

    def peak_memory_gb(self) -> float:
        """Return the peak memory of this worker over all samples and now: of its GPUs; without any, of its process."""
        return max(self._peak_gb, self._memory_gb())

    def close(self) -> None:
        """End the thread after one last sample, so that short trials have one, too."""
        if self._thread.is_alive():
            self._over.set()
            self._thread.join()

    def _work(self) -> None:
        last = False
        while not last:
            last = self._over.wait(self._period_s)
            try:
                self._write(time.monotonic() - self._began, self._sample())
            except Exception as error:  # nothing that is measured here may cost a trial
                print(f"system metrics end here: {named_message(error)}", flush=True)
                return

    def _sample(self) -> dict[str, float]:
        memory = psutil.virtual_memory()
        values = {
            "cpu_percent": psutil.cpu_percent(),
            "memory_percent": memory.percent,
            "memory_gb": (memory.total - memory.available) / 1e9,
            "worker_memory_gb": self._process.memory_info().rss / 1e9,
        }
        if self._gpus:
            busy = [self._nvml.nvmlDeviceGetUtilizationRates(gpu).gpu for gpu in self._gpus]
            values |= {
                "gpu_percent": sum(busy) / len(busy),
                "gpu_memory_gb": self._memory_gb(),
                "gpu_watts": sum(self._nvml.nvmlDeviceGetPowerUsage(gpu) for gpu in self._gpus) / 1000,
            }
        self._peak_gb = self.peak_memory_gb()
        return {f"{self._prefix}/{name}": value for name, value in values.items()}

    def _memory_gb(self) -> float:
        if not self._gpus:
            return float(self._process.memory_info().rss) / 1e9
        return max(float(self._nvml.nvmlDeviceGetMemoryInfo(gpu).used) for gpu in self._gpus) / 1e9

    @property
    def _nvml(self) -> Any:
        import pynvml

        return pynvml


def _visible_gpus() -> list[Any]:
    """List handles of the GPUs that this process may use; none without NVIDIA's library or a driver."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
    if not names:
        return []
    with contextlib.suppress(ImportError):
        import pynvml

        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            return [
                pynvml.nvmlDeviceGetHandleByIndex(int(name))
                if name.isdecimal()
                else pynvml.nvmlDeviceGetHandleByUUID(name.encode())
                for name in names
            ]
    return []
