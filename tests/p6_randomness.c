/*
 * P6 measured: where the heap lies, which slot comes next, when a freed slot comes back. Starts itself many times, each a
 * process that reports what an attacker would like to know beforehand, and estimates how many bits of it he does not.
 *
 * Shannon: the entropy of the frequencies seen. Collision: -log2 of the chance that two are alike, what a single guess is up
 * against or better; where no two of N starts were alike, "above" log2 of the number of pairs. By bit: the sum of each bit's own
 * entropy, an upper bound. Fails only far below what is meant: see the floors.
 *
 * usage: p6_randomness [--starts N]
 */
#include "attack/attack.h"

#include <math.h>

enum { WARM = 200, STEPS = 32, AT_ONCE = 50, FAR = 3000, RETURNS = 4, SIZES = 3 };
static const size_t sizes[SIZES] = {64, 400, 4000};

/* Of one start. */
struct start {
	uint64_t small, large, cold;	   /* addresses; cold: the first object of another site */
	int64_t step[SIZES][STEPS];	   /* from one object of a hot site to the next */
	uint32_t at_once[SIZES];	   /* of AT_ONCE objects freed, how many came back next */
	uint32_t cold_at_once;		   /* of a site that has hardly been used: 0 or 1 */
	uint32_t position[SIZES][RETURNS]; /* the how manieth allocation after the free; FAR: none of so many */
};

/* Floors. */
static const double step_bits = 1.5, at_once_share = 0.1;
enum { ADDRESS_BITS = 20 };

static NOINLINE void *first_small(void) { return hide(malloc(64)); }
static NOINLINE void *first_large(void) { return hide(malloc(100000)); }
static NOINLINE void *cold_site(void) { return hide(malloc(64)); }
static NOINLINE void *hot_site(size_t n) { return hide(malloc(n)); }

static void one_start(struct start *s)
{
	s->small = (uintptr_t)first_small();
	s->large = (uintptr_t)first_large();
	char *p = cold_site(), *q;
	s->cold = (uintptr_t)p;
	free(p);
	s->cold_at_once = cold_site() == p;
	for (int k = 0; k < SIZES; k++) {
		size_t n = sizes[k];
		for (int i = 0; i < WARM; i++)
			hot_site(n);
		p = hot_site(n);
		for (int i = 0; i < STEPS; i++, p = q)
			s->step[k][i] = (q = hot_site(n)) - p;
		for (int i = 0; i < AT_ONCE; i++) {
			free(p);
			s->at_once[k] += (q = hot_site(n)) == p;
			p = q;
		}
		for (int i = 0; i < RETURNS; i++) {
			uint32_t at = 0;
			p = hot_site(n);
			free(p);
			while (at < FAR && hot_site(n) != p)
				at++;
			s->position[k][i] = at;
		}
	}
}

static void many_starts(struct start *all, long starts)
{
	for (long i = 0; i < starts; i++) {
		int fd[2], status;
		MUST(!pipe(fd));
		pid_t child = fork();
		MUST(child >= 0);
		if (!child) {
			MUST(dup2(fd[1], 1) == 1);
			execl("/proc/self/exe", "p6_randomness", "--one", (char *)NULL);
			_exit(2);
		}
		close(fd[1]);
		size_t n = 0;
		for (ssize_t r; n < sizeof *all && (r = read(fd[0], (char *)&all[i] + n, sizeof *all - n)) > 0;)
			n += (size_t)r;
		close(fd[0]);
		MUST(waitpid(child, &status, 0) == child && status == 0 && n == sizeof *all);
	}
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

struct estimate {
	double shannon, collision, by_bit, alike /* pairs */, top /* share of the most frequent */;
};

static struct estimate estimate(int64_t *v, size_t n)
{
	struct estimate e = {0};
	qsort(v, n, sizeof *v, by_value);
	for (size_t i = 0, k; i < n; i = k) {
		for (k = i + 1; k < n && v[k] == v[i];)
			k++;
		double c = (double)(k - i), p = c / (double)n;
		e.shannon -= p * log2(p);
		e.alike += c * (c - 1) / 2;
		e.top = p > e.top ? p : e.top;
	}
	double pairs = (double)n * ((double)n - 1) / 2;
	e.collision = log2(pairs / (e.alike > 0 ? e.alike : 1));
	for (int bit = 0; bit < 63; bit++) {
		size_t ones = 0;
		for (size_t i = 0; i < n; i++)
			ones += v[i] >> bit & 1;
		double p = (double)ones / (double)n;
		if (ones && ones < n)
			e.by_bit -= p * log2(p) + (1 - p) * log2(1 - p);
	}
	return e;
}

static void address(const char *what, int64_t *v, size_t n)
{
	struct estimate e = estimate(v, n);
	printf("%-34s %.0f pairs alike: collision %s %.1f bits; by bit %.1f\n", what, e.alike,
	       e.alike > 0 ? "" : "above", e.collision, e.by_bit);
	/* Chance alone gives as many with ADDRESS_BITS bits; the rest is beyond one in 10^9. */
	double want = (double)n * ((double)n - 1) / 2 / (1 << ADDRESS_BITS);
	CHECK(e.alike <= want + 6 * sqrt(want) + 6, " (the address can be guessed)");
}

int main(int argc, char **argv)
{
	need_library();
	if (option_given(argc, argv, "--one")) {
		static struct start s;
		one_start(&s);
		return write(1, &s, sizeof s) != sizeof s;
	}
	long n = option_number(argc, argv, "--starts", 300);
	watchdog((unsigned)(120 + n / 20));
	struct start *all = map_memory((size_t)n * sizeof *all);
	int64_t *v = map_memory((size_t)n * STEPS * sizeof *v);
	many_starts(all, n);
	printf("%ld starts\n", n);
	for (long i = 0; i < n; i++)
		v[i] = (int64_t)(all[i].small);
	address("first small address", v, (size_t)n);
	for (long i = 0; i < n; i++)
		v[i] = (int64_t)(all[i].small & 4095);
	struct estimate e = estimate(v, (size_t)n);
	printf("%-34s Shannon %.2f bits, collision %.2f\n", "  its place in the page", e.shannon, e.collision);
	for (long i = 0; i < n; i++)
		v[i] = (int64_t)(all[i].large >> 12);
	address("first large address, its page", v, (size_t)n);
	for (long i = 0; i < n; i++)
		v[i] = (int64_t)(all[i].large >> 12) - (int64_t)(all[i].small >> 12);
	e = estimate(v, (size_t)n);
	printf("%-34s %.0f pairs alike: collision %s %.1f bits\n", "  from the first small one", e.alike,
	       e.alike > 0 ? "" : "above", e.collision);
	for (long i = 0; i < n; i++)
		v[i] = (int64_t)(all[i].cold - all[i].small);
	e = estimate(v, (size_t)n);
	printf("%-34s Shannon %.2f bits, collision %.2f\n", "from one site's first to another's", e.shannon,
	       e.collision);
	size_t at_once = 0;
	for (long i = 0; i < n; i++)
		at_once += all[i].cold_at_once;
	printf("%-34s %.2f %%\n", "cold, 64 bytes: back at once", 100.0 * (double)at_once / (double)n);
	for (int k = 0; k < SIZES; k++) {
		char what[64];
		for (long i = 0; i < n; i++)
			for (int j = 0; j < STEPS; j++)
				v[i * STEPS + j] = all[i].step[k][j];
		e = estimate(v, (size_t)n * STEPS);
		snprintf(what, sizeof what, "hot, %zu bytes: distance", sizes[k]);
		printf("%-34s Shannon %.2f bits, collision %.2f, most frequent %.1f %%\n", what, e.shannon, e.collision,
		       100 * e.top);
		CHECK(k || e.shannon >= step_bits, " (the next slot can be guessed)");
		at_once = 0;
		for (long i = 0; i < n; i++) {
			at_once += all[i].at_once[k];
			for (int j = 0; j < RETURNS; j++)
				v[i * RETURNS + j] = all[i].position[k][j];
		}
		double share = (double)at_once / (double)(n * AT_ONCE);
		e = estimate(v, (size_t)n * RETURNS);
		printf("%-34s back at once %.2f %%; position of its return: Shannon %.2f bits, collision %.2f, most "
		       "frequent %.1f %%, "
		       "median %ld\n",
		       "", 100 * share, e.shannon, e.collision, 100 * e.top, (long)v[n * RETURNS / 2]);
		CHECK(k || share < at_once_share, " (a freed slot comes back at once)");
	}
	fflush(stdout);
	return test_result("p6_randomness");
}
