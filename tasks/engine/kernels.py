"""CPU kernels: which ones BLAS and NumPy have chosen for this process, and how to pin them.

Both libraries have code for each generation of CPUs, which adds the same numbers in another order and so gives other
bits. The pinned kernels need AVX2 and FMA, which Intel's server CPUs have had since 2013 (Haswell). The libraries read
the environment once, when they are loaded.
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
    """Return the kernels in use: of every BLAS loaded (NumPy's, SciPy's), and the SIMD levels of NumPy's own loops."""
    import numpy as np
    import scipy.linalg  # noqa: F401  # it brings its own BLAS, beside NumPy's
    from threadpoolctl import threadpool_info

    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    blas = {f"{pool['internal_api']} {pool.get('architecture') or ''}".strip() for pool in pools}
    simd = np.show_config(mode="dicts")["SIMD Extensions"]  # type: ignore[call-overload,index,unused-ignore]
    return {"blas": sorted(blas), "simd": simd.get("found", [])}


def pin() -> None:
    """Pin the kernels for this process; restart it (exec) if NumPy is already loaded. Does nothing if they are set."""
    if all(os.environ.get(name) == value for name, value in PINNED.items()) and CONTRARY not in os.environ:
        return
    os.environ.update(PINNED)
    os.environ.pop(CONTRARY, None)
    if "numpy" in sys.modules:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def check(runtime: Runtime) -> None:
    """Raise PipelineError if `runtime.portable` is set and this process has other kernels than the portable ones."""
    if runtime.portable and kernels() != PORTABLE:
        raise PipelineError(
            "runtime.portable: this process does not use the kernels that give the same bits on every CPU\n"
            f"expected  {shown(PORTABLE)}\nfound     {shown(kernels())}\n"
            f"They are chosen when NumPy is loaded: set {' and '.join(f'{k}={v}' for k, v in PINNED.items())} before "
            "Python starts, as `w2v` does.\nIf they are set, this NumPy (2.4 is needed), BLAS or CPU lacks these "
            "kernels: use --set runtime.portable=false."
        )


def shown(found: Kernels) -> str:
    """Return the kernels as one line of a message."""
    return f"{', '.join(found['blas']) or 'no BLAS'}; NumPy {' '.join(found['simd']) or 'baseline'}"
