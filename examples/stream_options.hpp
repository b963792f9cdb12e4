// How classify answers a stream of images.
#pragma once

#include <string>

struct StreamOptions {
    std::string stream;      ///< "paths" or "bytes"
    std::string resume;      ///< the file to continue; empty: standard output
    int batch = 8;           ///< images that the network computes together
    int decode_threads = 0;  ///< 0: the cores there are
};
