"""What the numbers depend on: the processor, its instruction sets, versions."""

import importlib.metadata
import os
import pathlib
import platform

# What decides the speed of matrix products on x86-64, of the names in /proc/cpuinfo.
CPU_FLAGS = "sse4_2 avx fma avx2 avx_vnni avx512f avx512bw avx512_vnni avx512_bf16 amx_tile amx_int8 amx_bf16".split()
PACKAGES = ("torch", "transformers", "onnxruntime", "openvino", "nncf", "tokenizers", "rjieba", "ctranslate2", "pymarian")


def processor():
    info = {}
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        info.setdefault(key.strip(), value.strip())
    present = set(info.get("flags", "").split())
    name = info.get("model name", platform.machine())
    if "hypervisor" in present:
        name += " (virtual machine)"
    return f"{len(os.sched_getaffinity(0))} cores of {name}: {' '.join(flag for flag in CPU_FLAGS if flag in present)}"


def versions(program):
    found = [program.run("--version", threads=0).strip()]
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} absent")
    return ", ".join([*found, f"Python {platform.python_version()}"])
