#ifndef ALLOCATION_COUNT_H
#define ALLOCATION_COUNT_H

#include <stdint.h>

/// Allocations of this process so far, by anybody; -1 where they cannot be counted.
int64_t allocation_count(void);

#endif
