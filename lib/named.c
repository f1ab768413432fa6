/* named.c: see named.h. */
#include "named.h"
#include "chars.h"
#include "lock.h"
#include "type.h"

#include <errno.h>
#include <string.h>

static struct ty_named *all; /* index lock */

static u64 magic_of(u32 id) { return ty_mix(ty_conf.secret ^ ((u64)id << 32 | 0x6e616d65)); }

/* The same name and shape as a cache that was destroyed. Index lock held. */
static struct ty_named *revive(const struct ty_named *like)
{
	for (struct ty_named *n = all; n; n = n->next)
		if (n->dead && n->size == like->size && n->align == like->align &&
		    !((n->key ^ like->key) & TY_NAMED_NO_POINTERS) && ty_same(n->name, like->name)) {
			n->dead = false;
			return n;
		}
	return NULL;
}

struct ty_named *ty_named_new(const char *name, size_t size, size_t align, bool no_pointers)
{
	struct ty_named want = {.size = size, .align = align, .key = no_pointers ? TY_NAMED_NO_POINTERS : 0};

	for (size_t i = 0; name[i] && i < TY_NAME_MAX - 1; i++)
		want.name[i] = name[i];
	for (char *p = want.name; *p; p++) /* it is a word in tables */
		if (*p <= ' ' || *p == '"' || *p == 127)
			*p = '_';
	want.cls = !size			     ? 0
		   : size > TY_SMALL_MAX || align > TY_PAGE ? TY_CLASS_LARGE | ty_log2(align) << TY_CLASS_ALIGN_SHIFT
						     : ty_bucket_fixed(size);
	want.cls |= TY_CLASS_SOURCE(TY_SOURCE_NAMED);
	ty_lock(&ty_index_lock);
	struct ty_named *n = revive(&want);
	if (!n && (n = ty_meta_alloc(sizeof *n)) != NULL) {
		u32 id = ty_meta_id(n);
		*n = want;
		n->key |= id;
		n->next = all;
		all = n;
		TY_STORE_REL(&n->magic, magic_of(id));
	}
	ty_unlock(&ty_index_lock);
	if (!n)
		errno = ENOMEM;
	return n;
}

struct ty_named *ty_named_of(const void *handle)
{
	uintptr_t h = (uintptr_t)handle;
	u32 id = (u32)(h / TY_NAMED_UNIT);

	if (h % TY_NAMED_UNIT || h / TY_NAMED_UNIT != id || !ty_meta_has(id))
		return NULL;
	struct ty_named *n = ty_meta_ptr(id);
	return n->magic == magic_of(id) && !n->dead ? n : NULL;
}

void ty_named_end(struct ty_named *n)
{
	ty_lock(&ty_index_lock);
	n->dead = true;
	ty_unlock(&ty_index_lock);
}
