/*
 * mem_api.h: what libtyped_malloc.so exports for libtyped_malloc_mem.so, and for nobody else: the two are of one version.
 *
 * Addresses in [base, base + size) are the heap's, and constant once known. What lies there is asked of the heap each time:
 * there is no copy that could be stale.
 */
#ifndef TY_MEM_API_H
#define TY_MEM_API_H

#include "compiler.h"

struct ty_mem_heap {
	uintptr_t base;
	size_t size;
};

/* Start the heap and say where it is; no bytes when it cannot be had. false: the caller is called from within its start. */
bool typed_malloc_mem_heap(struct ty_mem_heap *out);
/* Does the object that p, an address of the heap, lies in go on for n > 0 bytes? */
bool typed_malloc_mem_fits(const void *p, size_t n, const char *fn);
/* Bytes from p that can be read; what is there need not be of p's object. Cheap. */
size_t typed_malloc_mem_reach(const void *p);
/* typed_malloc_room for the public function fn, which the message names when the object has been overrun before. */
size_t typed_malloc_mem_room(const void *p, const char *fn);
/* End the process: fn was to write (or read) n bytes at p, an address of the heap, which are more than are there. */
TY_NORETURN void typed_malloc_mem_die(const void *p, size_t n, bool write, const char *fn);

#endif
