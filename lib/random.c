/* random.c: see random.h. */
#include "random.h"

#include <string.h>

struct ty_lock ty_random_lock;
static struct ty_random shared; /* random lock */

/* The four rows of the block; a column round works on all four columns at once. */
typedef u32 row __attribute__((vector_size(16)));

static inline row rotate(row x, unsigned n) { return x << n | x >> (32 - n); }

static inline void round4(row *a, row *b, row *c, row *d)
{
	*a += *b, *d = rotate(*d ^ *a, 16);
	*c += *d, *b = rotate(*b ^ *c, 12);
	*a += *b, *d = rotate(*d ^ *a, 8);
	*c += *d, *b = rotate(*b ^ *c, 7);
}

void ty_random_fill(struct ty_random *r)
{
	if (!r->seeded) {
		ty_os_random(r->key, sizeof r->key);
		r->seeded = 1;
	}
	/* The key never comes again, so block number and nonce, in the last row, may be 0. */
	row in[3] = {{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}};
	memcpy(in + 1, r->key, sizeof r->key);
	row a = in[0], b = in[1], c = in[2], d = {0};
	for (int i = 0; i < 4; i++) {
		round4(&a, &b, &c, &d);
		/* The diagonals become columns, and back. */
		b = __builtin_shufflevector(b, b, 1, 2, 3, 0);
		c = __builtin_shufflevector(c, c, 2, 3, 0, 1);
		d = __builtin_shufflevector(d, d, 3, 0, 1, 2);
		round4(&a, &b, &c, &d);
		b = __builtin_shufflevector(b, b, 3, 0, 1, 2);
		c = __builtin_shufflevector(c, c, 2, 3, 0, 1);
		d = __builtin_shufflevector(d, d, 1, 2, 3, 0);
	}
	row out[4] = {a + in[0], b + in[1], c + in[2], d};
	memcpy(r->key, out, sizeof r->key);
	memcpy(r->out, out + 2, sizeof r->out);
	r->left = 8;
}

u32 ty_random_below(u32 n)
{
	ty_lock(&ty_random_lock);
	u32 x = ty_random_of(&shared, n);
	ty_unlock(&ty_random_lock);
	return x;
}

void ty_random_after_fork(void) { ty_random_forget(&shared); }
