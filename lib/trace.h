/*
 * trace.h: the stack, by unwind tables (cfi.h; no frame pointers needed; elsewhere than on x86-64 by the unwinder of the compiler's
 * support library). Slow: a microsecond and more. Calls neither malloc nor anything that takes a lock, with glibc 2.35 and
 * newer. Thread-safe. A return address that no unwind table covers is the last.
 */
#ifndef TY_TRACE_H
#define TY_TRACE_H

#include "compiler.h"

/*
 * The calls around the one whose return address lies at `at`, a place in this thread's stack: where the return addresses of
 * its caller, of that one's caller and so on lie. Fills in at most n; the number found. Only where return addresses lie
 * right below the canonical frame address (x86); else 0.
 */
unsigned ty_trace_places(const uintptr_t *at, const uintptr_t **out, unsigned n);

/* Return addresses from the one at `at` outward; at most n; the number found. */
unsigned ty_trace(const uintptr_t *at, uintptr_t *out, unsigned n);

#endif
