"""Hot loops that know no voice and no session."""

from kernels import cache as _cache

_cache.place()
