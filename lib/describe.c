/* describe.c: what a cache is called, and the ends of the process over what is in one. See cache.h. */
#include "cache.h"
#include "large.h"
#include "named.h"

/* "call site 0x7f53b1c41234 libfoo.so+0x1234", and who called that, as far as it is part of the key: "<prog+0x5678". */
static void describe_site(struct ty_text *t, const struct ty_cache *c)
{
	const struct ty_type *y = ty_meta_ptr(c->type);

	ty_text_str(t, "call site ");
	ty_text_hex(t, y->nsites ? y->site[0] : c->key);
	for (u32 i = 0; i < y->nsites || i == 0; i++) {
		size_t len = t->len;
		uintptr_t at = y->nsites ? y->site[i] : c->key;
		ty_text_str(t, i ? "<" : " ");
		if (ty_text_object(t, at))
			continue;
		if (i)
			ty_text_hex(t, at);
		else
			t->len = len;
	}
}

void ty_cache_describe(struct ty_text *t, const struct ty_cache *c)
{
	switch (ty_class_source(c->cls)) {
	case TY_SOURCE_TYPE:
		ty_text_str(t, "type token ");
		ty_text_hex(t, c->key);
		break;
	case TY_SOURCE_SITE:
		describe_site(t, c);
		break;
	case TY_SOURCE_RANDOM:
		ty_text_str(t, "random partition ");
		ty_text_dec(t, c->key);
		break;
	case TY_SOURCE_NAMED:
		ty_text_str(t, "cache \"");
		ty_text_str(t, ty_named_by_key(c->key)->name);
		ty_text_str(t, "\"");
		break;
	default:
		ty_text_str(t, "one partition");
	}
	ty_text_str(t, ", ");
	ty_text_dec(t, c->cls & TY_CLASS_LARGE ? ty_large_bytes(c->cls) : c->size);
	ty_text_str(t, "-byte cache");
}

void ty_cache_die_for(const char *fn, const char *crime, const struct ty_cache *c, const void *p)
{
	char buf[384];
	struct ty_text t = {buf, 0, sizeof buf - 1};

	if (!c)
		ty_die(fn, crime, p, NULL);
	ty_cache_describe(&t, c);
	buf[t.len] = 0;
	ty_die(fn, crime, p, buf);
}

void ty_cache_die_mismatch(const char *fn, const char *what, size_t n, const struct ty_cache *c, const void *p)
{
	char buf[80];
	struct ty_text t = {buf, 0, sizeof buf - 1};

	ty_text_str(&t, what);
	ty_text_str(&t, " ");
	ty_text_dec(&t, n);
	ty_text_str(&t, " for");
	buf[t.len] = 0;
	ty_cache_die_for(fn, buf, c, p);
}

void ty_cache_check_form(const struct ty_cache *c, const void *p, enum ty_form form, const char *fn)
{
	static const char *const crimes[] = {
		"object of malloc at",
		"object of new at",
		"object of new[] at",
		"object of aligned new at",
		"object of aligned new[] at",
	};

	if (unlikely(ty_class_form(c->cls) != form))
		ty_cache_die_for(fn, crimes[ty_class_form(c->cls)], c, p);
}

void ty_cache_die_at(const char *fn, const char *crime, const struct ty_slab *s, const void *p)
{
	ty_cache_die_for(fn, crime, ty_cache_ptr(s->cache), p);
}

void ty_cache_die(const char *fn, const char *crime, const struct ty_slab *s, u32 i)
{
	ty_cache_die_at(fn, crime, s, (char *)s->start + (size_t)i * s->size);
}
