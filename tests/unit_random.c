#include "unit.h"

#include "heap.h"

#include <math.h>
#include <sys/syscall.h>

/*
 * The block function of RFC 8439, section 2.3, word by word as it is written there, with 8 rounds in place of 20 and the
 * counter and nonce given as the last row.
 */
static u32 left(u32 x, int n) { return x << n | x >> (32 - n); }

static void quarter(u32 s[16], int a, int b, int c, int d)
{
	s[a] += s[b];
	s[d] ^= s[a];
	s[d] = left(s[d], 16);
	s[c] += s[d];
	s[b] ^= s[c];
	s[b] = left(s[b], 12);
	s[a] += s[b];
	s[d] ^= s[a];
	s[d] = left(s[d], 8);
	s[c] += s[d];
	s[b] ^= s[c];
	s[b] = left(s[b], 7);
}

static void block(u32 out[16], const u32 key[8], const u32 last[4], int rounds)
{
	u32 in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	for (int i = 0; i < 8; i++)
		in[4 + i] = key[i];
	for (int i = 0; i < 4; i++)
		in[12 + i] = last[i];
	for (int i = 0; i < 16; i++)
		out[i] = in[i];
	for (int i = 0; i < rounds; i += 2) {
		quarter(out, 0, 4, 8, 12);
		quarter(out, 1, 5, 9, 13);
		quarter(out, 2, 6, 10, 14);
		quarter(out, 3, 7, 11, 15);
		quarter(out, 0, 5, 10, 15);
		quarter(out, 1, 6, 11, 12);
		quarter(out, 2, 7, 8, 13);
		quarter(out, 3, 4, 9, 14);
	}
	for (int i = 0; i < 16; i++)
		out[i] += in[i];
}

/* The test of the test: the vector of section 2.3.2 (20 rounds). */
Test(random, second_implementation)
{
	u32 key[8], out[16];
	for (u32 i = 0; i < 8; i++)
		key[i] = 0x03020100 + i * 0x04040404;
	block(out, key, (const u32[4]){1, 0x09000000, 0x4a000000, 0}, 20);
	cr_assert(out[0] == 0xe4e7f110 && out[1] == 0x15593bd1 && out[12] == 0xd19c12b5 && out[15] == 0x4e3c50a2);
}

/* Word for word, over many blocks and keys; the first two words of each of four blocks are the next key. */
Test(random, is_chacha_8)
{
	for (u32 k = 0; k < 50; k++) {
		struct ty_random r = {.seeded = ty_random_mark()};
		u32 key[8], out[4][16];
		for (u32 i = 0; i < 8; i++)
			r.key[i] = key[i] = k ? k * 0x9e3779b9u + i * 0x7f4a7c15u : 0;
		for (int blocks = 0; blocks < 100; blocks++) {
			for (u32 b = 0; b < 4; b++)
				block(out[b], key, (const u32[4]){b}, 8);
			for (int i = 64; i-- > 8;)
				cr_assert(ty_random_next(&r) == out[i % 4][i / 4], "key %u, blocks %d, word %d", k, blocks, i);
			for (int i = 0; i < 8; i++)
				key[i] = out[i % 4][i / 4];
			cr_assert(!memcmp(r.key, key, sizeof key) && r.left == 0);
			for (int i = 0; i < TY_RANDOM_OUT; i++)
				cr_assert(r.out[i] == 0, "what was drawn is nowhere any more");
		}
	}
}

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;
	return (x > y) - (x < y);
}

/* No pair of words comes twice, from any of several states: 2^41 chances in 2^64 that one does, none that two do. */
Test(random, never_repeats)
{
	enum { STATES = 16, EACH = 1 << 17 };
	u64 *all = malloc(sizeof *all * STATES * EACH), *p = all;
	static struct ty_random r[STATES];
	for (int i = 0; i < EACH; i++)
		for (int k = 0; k < STATES; k++)
			*p++ = (u64)ty_random_next(&r[k]) << 32 | ty_random_next(&r[k]);
	qsort(all, STATES * EACH, sizeof *all, by_value);
	unsigned twice = 0;
	for (size_t i = 1; i < (size_t)STATES * EACH; i++)
		twice += all[i] == all[i - 1];
	cr_assert(twice < 2, "%u repeats", twice);
	for (int k = 0; k < STATES; k++)
		for (int j = 0; j < k; j++)
			cr_assert(memcmp(r[j].key, r[k].key, sizeof r[k].key));
	free(all);
}

Test(random, forgets)
{
	struct ty_random r = {0};
	u32 before[64];
	ty_random_next(&r);
	struct ty_random copy = r;
	ty_random_forget(&r);
	for (int i = 0; i < 64; i++)
		before[i] = ty_random_next(&copy);
	unsigned same = 0;
	for (int i = 0; i < 64; i++)
		same += ty_random_next(&r) == before[i];
	cr_assert(same < 4, "%u of 64 numbers as before", same);
}

static volatile bool stop;

static void *busy(void *arg)
{
	void *all[50] = {0};
	(void)arg;
	while (!stop)
		for (int i = 0; i < 50; i++) {
			ty_free(all[i], "free");
			all[i] = ty_alloc(AT(0x1000), 0, 100, "malloc");
		}
	for (int i = 0; i < 50; i++)
		ty_free(all[i], "free");
	return NULL;
}

enum { CHILDREN = 20, DRAWN = 8 };

/* What a process draws next, from its thread's state and from the shared one; any two in a row are good for 62 bits. */
struct drawn {
	u32 own[DRAWN], shared[DRAWN];
};

static void draw(struct drawn *d)
{
	for (int i = 0; i < DRAWN; i++) {
		d->own[i] = ty_random_next(&ty_mine->rng);
		d->shared[i] = ty_random_below(1u << 31);
	}
}

static bool meet(const u32 *a, const u32 *b)
{
	for (int i = 0; i + 1 < DRAWN; i++)
		for (int k = 0; k + 1 < DRAWN; k++)
			if (a[i] == b[k] && a[i + 1] == b[k + 1])
				return true;
	return false;
}

/* What a child draws, made by fork or by clone. The heap is its own. */
static void draw_in_child(struct drawn *d, bool by_clone, void (*draws)(struct drawn *))
{
	int fd[2], status;

	cr_assert(!pipe(fd));
	pid_t child = by_clone ? (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL) : fork();
	cr_assert(child >= 0);
	if (!child) {
		bool own = ty_random_own();
		draws(d);
		own &= ty_random_own();
		_exit(!own || write(fd[1], d, sizeof *d) != sizeof *d);
	}
	cr_assert(waitpid(child, &status, 0) == child && status == 0);
	cr_assert(read(fd[0], d, sizeof *d) == sizeof *d);
	close(fd[0]);
	close(fd[1]);
}

static void differ(const struct drawn *got, int n)
{
	for (int c = 0; c < n; c++)
		for (int k = 0; k < c; k++) {
			cr_assert(!meet(got[c].own, got[k].own), "the thread's, processes %d and %d", k, c);
			cr_assert(!meet(got[c].shared, got[k].shared), "the shared, processes %d and %d", k, c);
		}
}

static void children(struct drawn *got, bool by_clone)
{
	for (int i = 0; i < 200; i++)
		ty_alloc(AT(0x2000), 0, 100, "malloc");
	cr_assert(ty_mine && ty_mine->rng.seeded);
	/* Numbers are at hand in both states at each fork. */
	ty_random_below(10);
	while (ty_mine->rng.left != 5)
		ty_random_next(&ty_mine->rng);
	for (int c = 0; c < CHILDREN; c++)
		draw_in_child(&got[c], by_clone, draw);
	cr_assert(ty_random_own());
}

/* Child and parent, and two children, draw different numbers. */
Test(random, starts_anew_in_a_child, .timeout = 60)
{
	static struct drawn got[CHILDREN + 1];
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		cr_assert(!pthread_create(&t[i], NULL, busy, NULL));
	children(got, false);
	stop = true;
	for (int i = 0; i < 4; i++)
		cr_assert(!pthread_join(t[i], NULL));
	draw(&got[CHILDREN]);
	differ(got, CHILDREN + 1);
}

/* Likewise the children of clone, in which no handlers run. */
Test(random, starts_anew_in_a_child_of_clone, .timeout = 60)
{
	static struct drawn got[CHILDREN + 1];
	children(got, true);
	draw(&got[CHILDREN]);
	differ(got, CHILDREN + 1);
}

static void *use_and_draw(void *arg)
{
	for (int i = 0; i < 200; i++)
		ty_alloc(AT(0x3000), 0, 100, "malloc");
	cr_assert(ty_mine);
	draw(arg);
	return NULL;
}

static void draw_in_thread(struct drawn *d) { in_thread(use_and_draw, d); }

/* So do the threads that two children start, in thread caches that ended threads of the parent have left. */
Test(random, starts_anew_in_threads_of_a_child)
{
	static struct drawn before, got[4];
	in_thread(use_and_draw, &before);
	for (int c = 0; c < 4; c++)
		draw_in_child(&got[c], false, draw_in_thread);
	differ(got, 4);
}

/*
 * Chi-square of as many as n values, against the normal distribution's tail (Wilson and Hilferty): 7 standard deviations are
 * about one in 10^12.
 */
static void even(const u32 *count, u32 n, double draws, const char *what)
{
	double x = 0, want = draws / n, f = n - 1;
	for (u32 i = 0; i < n; i++)
		x += (count[i] - want) * (count[i] - want) / want;
	double z = (cbrt(x / f) - (1 - 2 / (9 * f))) / sqrt(2 / (9 * f));
	cr_assert(z < 7 && z > -7, "%s %u: chi-square %g of %g degrees, %g sigma", what, n, x, f, z);
}

Test(random, of_is_uniform, .timeout = 60)
{
	static const u32 sizes[] = {2, 3, 5, 7, 8, 10, 64, 100, 255, 1000};
	static u32 count[1000], pairs[64 * 64];
	struct ty_random r = {0};
	for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
		enum { DRAWS = 400000 };
		u32 n = sizes[k];
		memset(count, 0, sizeof count);
		for (int i = 0; i < DRAWS; i++) {
			u32 x = ty_random_of(&r, n);
			cr_assert(x < n);
			count[x]++;
		}
		even(count, n, DRAWS, "ty_random_of");
		memset(count, 0, sizeof count);
		for (int i = 0; i < DRAWS; i++) {
			u32 x = ty_random_below(n);
			cr_assert(x < n);
			count[x]++;
		}
		even(count, n, DRAWS, "ty_random_below");
	}
	/* One and the next. */
	for (int i = 0; i < 400000; i++) {
		u32 x = ty_random_of(&r, 64);
		pairs[x * 64 + ty_random_of(&r, 64)]++;
	}
	even(pairs, 64 * 64, 400000, "pairs");
	for (u32 n = 1; n < 10; n++)
		cr_assert(ty_random_of(&r, 1) == 0);
	u32 most = 0, least = UINT32_MAX;
	for (int i = 0; i < 100000; i++) {
		u32 x = ty_random_of(&r, UINT32_MAX);
		most = x > most ? x : most;
		least = x < least ? x : least;
	}
	/* Each fails by chance in one of e^99 runs. */
	cr_assert(most > UINT32_MAX - UINT32_MAX / 1000 && least < UINT32_MAX / 1000);
}
