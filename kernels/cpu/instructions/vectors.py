"""How wide the vectors of this processor are, as Numba will generate code for it.

The features are asked of Numba and not of the machine: ``NUMBA_CPU_NAME=generic`` makes
code that runs on every processor of the family, and the tiles must then do without the
wide registers too.
"""

import numpy as np
import numpy.typing as npt
from numba.core.registry import cpu_target

_TRIPLE, _, _FEATURES = cpu_target.target_context.codegen().magic_tuple()
_HAS = frozenset(_FEATURES.split(","))

_ARM = _TRIPLE.startswith(("aarch64", "arm64"))
_AVX512 = "+avx512f" in _HAS

#: Whether a·b + c is one instruction with one rounding.
FUSED = _ARM or "+fma" in _HAS

#: Bytes of a vector register that is worth using: 64, 32 or 16.
VECTOR_BYTES = 64 if _AVX512 else 32 if FUSED and "+avx2" in _HAS else 16

#: Rows of a register tile. Rows times two accumulators, two vectors and one spread value
#: have to fit into 32 registers (AVX-512, ARM) or 16 (other x86 processors).
TILE_ROWS = 8 if _AVX512 or _ARM else 6

#: Rows of a tile that fits the nine taps of a 3x3 filter, where there are registers for it.
TALL_ROWS = 9 if TILE_ROWS == 8 else TILE_ROWS

#: Rows of a register tile that multiplies channel by channel: as many accumulators, enough
#: to keep the multipliers busy, and the nine taps of a 3x3 filter in one tile.
CHANNEL_ROWS = 9


def lanes(dtype: npt.DTypeLike) -> int:
    """Return how many values of a dtype one vector register holds."""
    return VECTOR_BYTES // np.dtype(dtype).itemsize
