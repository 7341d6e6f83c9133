"""Check the machine and its kernels: versions, the reachable peak, attention, what a step spends its time on."""

from __future__ import annotations

import importlib.metadata
import os
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

from measurements.gpu_check.part import Figures
from measurements.gpu_check.planned import Setting
from measurements.gpu_check.timed_stage import opened_stage, step_inputs, train_step
from orchestrator.doctor.machine_facts import machine_facts
from search_spaces.worker_contract import Device
from trainables.package_versions import STAGE_PACKAGES, installed_versions
from trainables.training.hardware import device_name, peak_flops

_REPEATS = 20
_TOP = 12
"""Kernels that are named, those that take longest."""

_PROFILED_STEPS = 2

_WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize", "aten::_local_scalar_dense")
"""Where the host waits for the device, by the profiler's names."""


def measure_machine(setting: Setting) -> Figures:
    """Name device, driver and versions, and measure the peak that a large product of matrices reaches in bf16."""
    facts, side = machine_facts(), setting.form.matrix
    left = torch.randn(side, side, device=setting.device, dtype=torch.bfloat16)
    seconds = _median_seconds(lambda: left @ left, setting.device)
    reached, peak = 2 * side**3 / seconds, peak_flops(device_name(setting.device), "bf16")
    is_gpu = setting.device == "cuda"
    return {
        "device": device_name(setting.device),
        "device_memory_bytes": torch.cuda.get_device_properties(0).total_memory if is_gpu else None,
        "driver": facts.driver,
        "cuda": facts.cuda,
        "nccl": ".".join(map(str, torch.cuda.nccl.version())) if is_gpu else None,  # type: ignore[no-untyped-call]
        "cpus": facts.cpus,
        "memory_bytes": facts.memory_bytes,
        "shared_memory_bytes": facts.shared_memory_bytes,
        "allocator": os.environ.get("PYTORCH_CUDA_ALLOC_CONF"),
        "versions": installed_versions(STAGE_PACKAGES),
        "matrix": side,
        "matrix_tflops": reached / 1e12,
        "share_of_peak": None if peak is None else reached / peak,
    }


def measure_attention(setting: Setting) -> Figures:
    """Measure torch's attention, forward and backward, without and with a mask of padding; name its kernels."""
    batch, heads, length, width = setting.form.attention
    shape = (batch, heads, length, width)
    query, key, value = (
        torch.randn(shape, device=setting.device, dtype=torch.bfloat16, requires_grad=True) for _ in range(3)
    )
    positions = torch.arange(length, device=setting.device)
    longest = length - positions[:batch].view(-1, 1, 1, 1) % length
    seen = (positions.view(1, 1, 1, -1) < longest) & (positions.view(1, 1, 1, -1) <= positions.view(1, 1, -1, 1))

    def without_mask() -> None:
        torch.autograd.backward(F.scaled_dot_product_attention(query, key, value, is_causal=True).sum())

    def with_mask() -> None:
        torch.autograd.backward(F.scaled_dot_product_attention(query, key, value, attn_mask=seen).sum())

    has_flash = find_spec("flash_attn") is not None
    return {
        "shape": list(shape),
        "causal_ms": 1000 * _median_seconds(without_mask, setting.device),
        "causal_kernels": _kernels(without_mask, setting.device),
        "masked_ms": 1000 * _median_seconds(with_mask, setting.device),
        "masked_kernels": _kernels(with_mask, setting.device),
        "flash_attn": importlib.metadata.version("flash_attn") if has_flash else None,
    }


def profile_steps(setting: Setting) -> Figures:
    """Profile two optimizer steps: the kernels that take longest, and how often the host waits for the device."""
    planned = setting.planned("resources.padding=keep")
    with opened_stage(planned) as opened, closing(step_inputs(planned, opened, 1 + _PROFILED_STEPS)) as inputs:
        train_step(opened, next(inputs))
        with profile(activities=_activities(setting.device)) as profiled:
            began = time.perf_counter()
            for _ in range(_PROFILED_STEPS):
                train_step(opened, next(inputs))
            seconds = time.perf_counter() - began
    times = _times(profiled, setting.device)
    counts = {event.key: event.count for event in profiled.key_averages() if event.key in _WAITS}
    return {
        "steps": _PROFILED_STEPS,
        "wall_ms": 1000 * seconds,
        "kernels_ms": sum(times.values()),
        "longest_ms": dict(sorted(times.items(), key=lambda item: -item[1])[:_TOP]),
        "waits_per_step": {name: count / _PROFILED_STEPS for name, count in counts.items()},
    }


def _median_seconds(work: Callable[[], object], device: Device) -> float:
    seconds = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[_REPEATS // 4 :])


def _kernels(work: Callable[[], object], device: Device) -> list[str]:
    """Name the kernels that take longest in a piece of work."""
    with profile(activities=_activities(device)) as profiled:
        work()
        if device == "cuda":
            torch.cuda.synchronize()
    times = _times(profiled, device)
    return sorted(times, key=lambda name: -times[name])[: _TOP // 3]


def _activities(device: Device) -> list[ProfilerActivity]:
    return [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]


def _times(profiled: profile, device: Device) -> dict[str, float]:
    """Sum the milliseconds of each kernel on the device itself, without what it calls."""
    events = profiled.key_averages()
    if device == "cpu":
        return {event.key: event.self_cpu_time_total / 1000 for event in events}
    return {event.key: event.self_device_time_total / 1000 for event in events if event.self_device_time_total}
