"""The arithmetic of this process: which kernels BLAS and NumPy have chosen for the CPU, and how they are pinned.

Both bring code for each generation of CPUs, which adds the same numbers up in another order: other bits. What is
pinned is what every x86-64 CPU since 2013 has (AVX2, FMA). The libraries look at the environment once, as they load.
"""

import functools
import os
import sys

from configs.schema import Runtime
from tasks.errors import PipelineError

PINNED = {"OPENBLAS_CORETYPE": "Haswell", "NPY_ENABLE_CPU_FEATURES": "X86_V3"}
CONTRARY = "NPY_DISABLE_CPU_FEATURES"  # NumPy does not load where both are set
Kernels = dict[str, list[str]]
PORTABLE: Kernels = {"blas": ["openblas Haswell"], "simd": ["X86_V3"]}


@functools.cache
def kernels() -> Kernels:
    """Of BLAS, NumPy's and SciPy's alike, and of NumPy's own loops: the levels above what every CPU has."""
    import numpy as np
    import scipy.linalg  # noqa: F401  # its BLAS is another library than NumPy's
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    blas = {f"{pool['internal_api']} {pool.get('architecture') or ''}".strip() for pool in pools}
    simd = np.show_config(mode="dicts")["SIMD Extensions"]  # type: ignore[call-overload,index,unused-ignore]
    return {"blas": sorted(blas), "simd": simd.get("found", [])}


def pin() -> None:
    """Pin the kernels for this process; one that has loaded NumPy already starts again as itself."""
    if all(os.environ.get(name) == value for name, value in PINNED.items()) and CONTRARY not in os.environ:
        return
    os.environ.update(PINNED)
    os.environ.pop(CONTRARY, None)
    if "numpy" in sys.modules:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def check(runtime: Runtime) -> None:
    """Raises PipelineError where `runtime.portable` is promised and this process has other kernels."""
    if runtime.portable and kernels() != PORTABLE:
        raise PipelineError(
            "runtime.portable: this process has other kernels than those that are the same on every CPU\n"
            f"expected  {shown(PORTABLE)}\nfound     {shown(kernels())}\n"
            f"They are chosen as NumPy is loaded: set {' and '.join(f'{k}={v}' for k, v in PINNED.items())} before "
            "Python starts, as `w2v` does by itself.\nIf they are set, this NumPy (2.4 is needed), BLAS or CPU has no "
            "such kernel, and cannot do without --set runtime.portable=false."
        )


def shown(found: Kernels) -> str:
    return f"{', '.join(found['blas']) or 'no BLAS'}; NumPy {' '.join(found['simd']) or 'baseline'}"
