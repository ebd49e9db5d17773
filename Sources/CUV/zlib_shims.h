// What Swift cannot import of zlib: the initialisers are macros.
#pragma once
#include "spdy3_dictionary.h"
#include <zlib.h>

static inline int ffwd_inflate_init(z_stream *stream) { return inflateInit(stream); }

static inline int ffwd_inflate_set_spdy3_dictionary(z_stream *stream) {
    return inflateSetDictionary(stream, ffwd_spdy3_dictionary(), FFWD_SPDY3_DICTIONARY_BYTES);
}
