/* random.c: see random.h. */
#include "random.h"

#include <string.h>

struct ty_lock ty_random_lock;
static struct ty_random shared; /* random lock */

/* One word of each of the four blocks. */
typedef u32 words __attribute__((vector_size(16)));

TY_INLINE words rotate(words x, unsigned n) { return x << n | x >> (32 - n); }

TY_INLINE void quarter(words *a, words *b, words *c, words *d)
{
	*a += *b, *d = rotate(*d ^ *a, 16);
	*c += *d, *b = rotate(*b ^ *c, 12);
	*a += *b, *d = rotate(*d ^ *a, 8);
	*c += *d, *b = rotate(*b ^ *c, 7);
}

TY_INLINE words all_four(u32 x) { return (words){x, x, x, x}; }

/* ty_conf.mark: the mark, 0 in a child that has not drawn yet; the process's id, 0 in one without handlers until it draws. */
u32 ty_random_mark(void)
{
	u32 mark = TY_LOAD(ty_conf.mark), none = 0, nobody = 0;

	if (likely(mark))
		return mark;
	ty_os_random(&mark, sizeof mark);
	mark |= !mark;
	/* Not when it is known: this may be a child of vfork. */
	if (!TY_LOAD(&ty_conf.mark[1]))
		__atomic_compare_exchange_n(&ty_conf.mark[1], &nobody, (u32)ty_os_pid(), false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n(ty_conf.mark, &none, mark, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) ? mark : none;
}

bool ty_random_own(void)
{
	u32 process = TY_LOAD(&ty_conf.mark[1]);
	int pid = process ? ty_os_pid() : 0;

	return !process || process == (u32)pid || pid < 0; /* a filter: nobody knows */
}

/* The process's id as libc knows it, as a filter may end who asks the system. Of its only thread, or 0. */
static u32 known_process(void) { return ty_os_threads() == TY_THREADS_ONE ? (u32)ty_os_thread() : 0; }

TY_START void ty_random_init(void)
{
	u32 *page = ty_os_zero_in_child();

	if (page)
		ty_conf.mark = page;
	ty_conf.mark[0] = 0;
	ty_conf.mark[1] = known_process();
	ty_random_mark();
	/* A child by clone may start the heap, or one of vfork, in its parent's memory. Nobody can tell, so that either counts as own. */
	if (ty_conf.late && ty_os_is_cloned())
		ty_conf.mark[1] = 0;
}

void ty_random_fill(struct ty_random *r)
{
	static const u32 constant[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	words in[16] = {0}, x[16];

	u32 mark = ty_random_mark();
	if (r->seeded != mark) {
		ty_os_random(r->key, sizeof r->key);
		r->seeded = mark;
	}
	for (int i = 0; i < 4; i++)
		in[i] = all_four(constant[i]);
	for (int i = 0; i < 8; i++)
		in[4 + i] = all_four(r->key[i]);
	/* The key never comes again, so the rest of the last row, high half of the number and nonce, may be 0. */
	in[12] = (words){0, 1, 2, 3};
	memcpy(x, in, sizeof x);
	for (int i = 0; i < 4; i++) {
		for (int k = 0; k < 4; k++)
			quarter(&x[k], &x[4 + k], &x[8 + k], &x[12 + k]);
		for (int k = 0; k < 4; k++)
			quarter(&x[k], &x[4 + (k + 1) % 4], &x[8 + (k + 2) % 4], &x[12 + (k + 3) % 4]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += in[i];
	memcpy(r->key, x, sizeof r->key);
	memcpy(r->out, x + 2, sizeof r->out);
	r->left = TY_RANDOM_OUT;
}

u32 ty_random_below(u32 n)
{
	ty_lock(&ty_random_lock);
	u32 x = ty_random_of(&shared, n);
	ty_unlock(&ty_random_lock);
	return x;
}

TY_START bool ty_random_after_fork(void)
{
	u32 process = (u32)ty_os_thread(); /* the child's only thread */

	/* (First: to read the page before would be one fault more.) */
	TY_STORE(&ty_conf.mark[1], process ? process : (u32)ty_os_pid());
	bool marked = TY_LOAD(ty_conf.mark) != 0;
	if (marked)
		ty_random_forget(&shared);
	return marked;
}
