#ifndef FRESHET_CZLIB_SHIM_H
#define FRESHET_CZLIB_SHIM_H

#include <zlib.h>

// deflateInit2 is a macro, which Swift does not import.
static inline int CZlib_gzipInit(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY);
}

#endif
