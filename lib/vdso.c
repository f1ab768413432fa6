/* vdso.c: the functions that the kernel maps into every process, from os_linux.h. */
#define _GNU_SOURCE
#include "chars.h"
#include "os_linux.h"

#include <link.h>
#include <sys/auxv.h>

/* Symbols in the table: the old hash tells; the new one has chains, of which the one that starts last ends last. */
static size_t symbols(const u32 *hash, const u32 *gnu)
{
	if (hash)
		return hash[1];
	if (!gnu)
		return 0;
	u32 nbuckets = gnu[0], first = gnu[1], last = 0;
	const u32 *bucket = gnu + 4 + gnu[2] * (sizeof(ElfW(Addr)) / sizeof(u32)), *chain = bucket + nbuckets;
	for (u32 i = 0; i < nbuckets; i++)
		last = bucket[i] > last ? bucket[i] : last;
	if (last < first)
		return first;
	while (!(chain[last - first] & 1))
		last++;
	return (size_t)last + 1;
}

TY_START void *ty_vdso_symbol(const char *name)
{
	uintptr_t base = getauxval(AT_SYSINFO_EHDR), bias = 0;
	const ElfW(Dyn) *dynamic = NULL;
	const u32 *hash = NULL, *gnu = NULL;
	const ElfW(Sym) *table = NULL;
	const char *names = NULL;
	bool loaded = false;

	if (!base)
		return NULL;
	const ElfW(Ehdr) *head = (const ElfW(Ehdr) *)base;
	const ElfW(Phdr) *part = (const ElfW(Phdr) *)(base + head->e_phoff);
	for (size_t i = 0; i < head->e_phnum; i++)
		if (part[i].p_type == PT_DYNAMIC) {
			dynamic = (const ElfW(Dyn) *)(base + part[i].p_offset);
		} else if (part[i].p_type == PT_LOAD && !loaded) {
			bias = base + part[i].p_offset - part[i].p_vaddr;
			loaded = true;
		}
	for (; dynamic && loaded && dynamic->d_tag != DT_NULL; dynamic++) {
		uintptr_t at = bias + dynamic->d_un.d_ptr;
		switch (dynamic->d_tag) {
		case DT_HASH: hash = (const u32 *)at; break;
		case DT_GNU_HASH: gnu = (const u32 *)at; break;
		case DT_SYMTAB: table = (const ElfW(Sym) *)at; break;
		case DT_STRTAB: names = (const char *)at; break;
		default: break;
		}
	}
	for (size_t i = 0, n = table && names ? symbols(hash, gnu) : 0; i < n; i++)
		if (table[i].st_shndx != SHN_UNDEF && ty_same(names + table[i].st_name, name))
			return (void *)(bias + table[i].st_value);
	return NULL;
}
