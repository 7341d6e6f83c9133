"""Fit a stage to its device: supported precisions, the attention kernel, the utilisation of the peak, provenance."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, assert_never

import torch
from torch import nn

from search_spaces.catalogue.load import shipped
from search_spaces.catalogue.machine_entries import GpuEntry
from search_spaces.error_text import first_line
from search_spaces.errors import InputError
from search_spaces.packed_rows import FAMILIES_WITH_ROWS
from search_spaces.resource_spec import ResourceSpec
from search_spaces.resources import accumulates_in_fp32, zero_stage
from search_spaces.spec import Precision, StageSpec
from search_spaces.worker_contract import Device
from trainables.package_versions import STAGE_PACKAGES, installed_versions
from trainables.task import Context

CAPABILITIES: dict[Precision, tuple[int, int]] = {"fp32": (0, 0), "bf16": (8, 0)}
"""Lowest compute capability with units for a precision. Ampere has the first matrix units for bf16 (NVIDIA CUDA C++
programming guide, compute capabilities)."""

FLASH_ATTENTION = "flash_attention_2"
"""Transformers' name for the kernels of the package flash-attn."""


def refuse_precision(stage: StageSpec, name: str, capability: tuple[int, int] | None) -> None:
    """Refuse a precision that a device has no matrix units for.

    fp16 is not offered at all: its loss scaling skips steps, which makes another experiment of a stage.

    Args:
        stage: stage with the precision.
        name: name of the device, for the error.
        capability: compute capability (major, minor); None on a CPU, which computes in bf16.

    Raises:
        InputError: the device only emulates the precision.
    """
    needed = CAPABILITIES[stage.precision]
    if capability is not None and capability < needed:
        raise InputError(
            f"stage {stage.name!r} is in {stage.precision}, which needs compute capability {needed[0]}.{needed[1]}"
            f" (Ampere) or higher, but {name} has {capability[0]}.{capability[1]}",
            key=f"recipe.{stage.name}.precision",
            way_out="Run it on A100, H100 or later, or set `precision: fp32`, which is another experiment.",
        )


def check_device(stage: StageSpec, device: Device) -> None:
    """Check that this worker's device supports the stage. Raises InputError as `refuse_precision` does."""
    match device:
        case "cuda":
            refuse_precision(stage, torch.cuda.get_device_name(), torch.cuda.get_device_capability())
        case "cpu":
            refuse_precision(stage, "cpu", None)
        case _:
            assert_never(device)


def device_name(device: Device) -> str:
    """Return the name of this worker's device, as its driver reports it."""
    match device:
        case "cuda":
            return torch.cuda.get_device_name()
        case "cpu":
            return "cpu"
        case _:
            assert_never(device)


def attention_kernel(device: Device, precision: Precision, has_flash: bool, has_sdpa: bool) -> str:
    """Choose the fastest attention kernel that is available, by its name in transformers.

    All kernels compute the same up to rounding.

    Args:
        device: kind of this worker's device.
        precision: precision of the stage; flash attention needs bf16.
        has_flash: whether flash attention is installed and the model supports it.
        has_sdpa: whether the model supports torch's scaled dot-product attention.
    """
    if device == "cuda" and precision == "bf16" and has_flash:
        return FLASH_ATTENTION
    return "sdpa" if has_sdpa else "eager"


def set_attention(language: nn.Module, stage: StageSpec, device: Device) -> str:
    """Set the fastest attention kernel of a language model; returns its name.

    A flash-attn that is installed but cannot be used, as after an upgrade of torch, is said and passed over.

    Args:
        language: model of transformers, changed in place.
        stage: stage with the precision.
        device: kind of this worker's device.
    """
    model: Any = language
    has_flash = find_spec("flash_attn") is not None and bool(getattr(model, "_supports_flash_attn", False))
    has_sdpa = bool(getattr(model, "_supports_sdpa", False))
    kernel = attention_kernel(device, stage.precision, has_flash, has_sdpa)
    if kernel == FLASH_ATTENTION:
        try:
            import_module("flash_attn")
            model.set_attn_implementation(kernel)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            print(f"flash-attn is installed but cannot be used ({first_line(error)}): using another kernel", flush=True)
            kernel = attention_kernel(device, stage.precision, False, has_sdpa)
    if model.config._attn_implementation != kernel:
        model.set_attn_implementation(kernel)
    return kernel


def drops_padding(resources: ResourceSpec, attention: str, family: str) -> bool:
    """Check whether records of a micro-batch are laid one after the other instead of being padded.

    Args:
        resources: of the stage.
        attention: name of the attention kernel.
        family: of the language model; some do not keep the records of a row apart.
    """
    match resources.padding:
        case "auto":
            return attention == FLASH_ATTENTION and family in FAMILIES_WITH_ROWS
        case "keep":
            return False
        case "drop":
            return True
        case _:
            assert_never(resources.padding)


def gpu_entry(name: str) -> GpuEntry | None:
    """Look up what is known of a device, by its driver's name for it; None if nothing is."""
    known = shipped().gpu_named(name)
    return None if known is None else shipped().gpus[known]


def peak_flops(name: str, precision: Precision) -> float | None:
    """Look up a device's peak in floating-point operations per second, by its driver's name for it; None if unknown."""
    entry = gpu_entry(name)
    tflops = None if entry is None else entry.tflops(precision)
    return None if tflops is None else tflops * 1e12


def flops_utilisation(operations: float, device_seconds: float, peak: float) -> float:
    """Compute the model FLOPs utilisation, 0 to 1 (Chowdhery et al. 2022, arXiv 2204.02311, appendix B).

    Args:
        operations: floating-point operations that the model needs, without recomputation.
        device_seconds: time that they took, summed over the devices.
        peak: floating-point operations per second of one device.
    """
    return operations / (device_seconds * peak)


def provenance(
    stage: StageSpec, resources: ResourceSpec, context: Context, attention: str, padding_is_dropped: bool
) -> dict[str, str]:
    """Collect versions and settings that may change rounding, for the stage's result.

    Args:
        stage: what is trained.
        resources: workers, micro-batch, ZeRO stage and offloading.
        context: device and world size of this worker.
        attention: name of the attention kernel.
        padding_is_dropped: see `drops_padding`.
    """
    return {
        **installed_versions(STAGE_PACKAGES),
        "device": device_name(context.device),
        "attention": attention,
        "world": str(context.world),
        "micro_batch": str(resources.micro_batch or "whole"),
        "gradients": "fp32" if accumulates_in_fp32(stage, resources) else stage.precision,
        "zero": str(zero_stage(stage, resources)),
        "offload": resources.offload,
        **({"padding": "dropped"} if padding_is_dropped else {}),
        **({"kernels": "deterministic"} if resources.deterministic else {}),
        **({"compile": "layers"} if resources.compile else {}),
    }
