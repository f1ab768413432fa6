/* mem_check.c: see mem_check.h. */
#define _GNU_SOURCE
#include "mem_check.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>

extern char **environ __attribute__((weak));

union ty_mem_page ty_mem_page __attribute__((aligned(TY_MAX_PAGE))) = {.k.heap = {0, SIZE_MAX}};

/* Loops that need nothing but their arguments. */
void *ty_mem_own_move(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;

	if ((uintptr_t)d - (uintptr_t)s < n) /* the end first */
		while (n--) {
			d[n] = s[n];
			__asm__ volatile("" : : : "memory");
		}
	else
		for (size_t i = 0; i < n; i++) {
			d[i] = s[i];
			__asm__ volatile("" : : : "memory");
		}
	return to;
}

void *ty_mem_own_set(void *to, int c, size_t n)
{
	for (char *d = to; n; n--) {
		*d++ = (char)c;
		__asm__ volatile("" : : : "memory");
	}
	return to;
}

static int find_text(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	uintptr_t in = (uintptr_t)typed_malloc_mem_room;

	(void)bytes;
	(void)arg;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *h = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + h->p_vaddr;
		if (h->p_type == PT_LOAD && in - start < h->p_memsz) {
			ty_mem.text = start;
			ty_mem.text_bytes = h->p_memsz;
			return 1;
		}
	}
	return 0;
}

bool ty_mem_learn(void)
{
	static bool busy;

	if (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
		return false;
	if (!ty_mem.ready) {
		struct ty_mem_heap heap = {0, 0};
		bool known_now = true;
#define X(name) ty_mem.name = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);
		if (!ty_mem.memmove) {
			TY_REALS(X)
		}
#undef X
		if (typed_malloc_mem_heap && typed_malloc_mem_fits && typed_malloc_mem_reach && typed_malloc_mem_room &&
		    typed_malloc_mem_die) {
			dl_iterate_phdr(find_text, NULL);
			known_now = typed_malloc_mem_heap(&heap);
		}
		if (known_now) {
			ty_mem.heap.base = heap.base;
			TY_STORE_REL(&ty_mem.heap.size, heap.size); /* the fast paths are open */
			TY_STORE_REL(&ty_mem.ready, true);
			mprotect(&ty_mem_page, sizeof ty_mem_page, PROT_READ);
		}
	}
	__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
	return TY_LOAD(&ty_mem.ready);
}

/* libc has started when there is an environment. Unrelocated, we would not find the variable. */
bool ty_mem_early(void) { return &environ && environ && ty_mem_learn(); }

__attribute__((constructor(101))) static void mem_constructor(void) { ty_mem_ready(); }

TY_INLINE bool by_heap(uintptr_t site) { return site - ty_mem.text < ty_mem.text_bytes; }

/* n bytes at p, of a caller that is not the heap. */
TY_INLINE void look(const void *p, size_t n, bool write, const char *fn)
{
	if (ty_mem_ours(p) && unlikely(!typed_malloc_mem_fits(p, n, fn)))
		typed_malloc_mem_die(p, n, write, fn);
}

void ty_mem_look_slow(const void *p, size_t n, bool write, const char *fn, uintptr_t site)
{
	if (n && ty_mem_ready() && !by_heap(site))
		look(p, n, write, fn);
}

size_t ty_mem_within(const void *s, size_t most)
{
	if (!most || !ty_mem_ready() || !ty_mem_ours(s))
		return most;
	size_t reach = typed_malloc_mem_reach(s);
	return reach < most ? reach : most;
}

void ty_mem_ended(const void *s, size_t n, size_t unit, const char *fn, uintptr_t site)
{
	if (n && ty_mem_ready() && ty_mem_ours(s) && !by_heap(site) && unlikely(!typed_malloc_mem_fits(s, n, fn)))
		typed_malloc_mem_die(s, (typed_malloc_mem_room(s, fn) / unit + 1) * unit, false, fn);
}

void *ty_mem_move_slow(void *d, const void *s, size_t n, const char *fn, uintptr_t site)
{
	if (unlikely(!ty_mem_ready()))
		return ty_mem_own_move(d, s, n);
	if (likely(n != 0) && likely(!by_heap(site))) {
		look(d, n, true, fn);
		look(s, n, false, fn);
	}
	return ty_mem.memmove(d, s, n);
}

void *ty_mem_set_slow(void *d, int c, size_t n, const char *fn, uintptr_t site)
{
	if (unlikely(!ty_mem_ready()))
		return ty_mem_own_set(d, c, n);
	if (likely(n != 0) && likely(!by_heap(site)))
		look(d, n, true, fn);
	return ty_mem.memset(d, c, n);
}
