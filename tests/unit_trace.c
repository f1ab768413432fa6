/* The stack as ty_trace sees it, against the unwinder of the compiler's support library, wherever that can be trusted: frames of all
 * kinds, libc's between ours, handlers. And the places of ty_trace_places hold what ty_trace tells. */
#include "unit.h"

#include "cfi.h"
#include "trace.h"

#include <alloca.h>
#include <signal.h>
#include <unwind.h>

#if defined(__x86_64__)
enum { MOST = 128 };
static uintptr_t ours[MOST], theirs[MOST];
static const uintptr_t *places[MOST];
static uintptr_t held[MOST]; /* by those */
static unsigned nours, ntheirs, nplaces, looks;
static volatile int sink;

static _Unwind_Reason_Code their_step(struct _Unwind_Context *context, void *arg)
{
	(void)arg;
	uintptr_t ip = _Unwind_GetIP(context);
	if (ip && ntheirs < MOST)
		theirs[ntheirs++] = ip;
	return _URC_NO_REASON;
}

/* Of all but this function's own frame, whose place in itself is another for each of the three. */
static __attribute__((noinline)) void look(void)
{
	const uintptr_t *at = TY_CALL();

	ntheirs = 0;
	_Unwind_Backtrace(their_step, NULL);
	nours = ty_trace(at, ours, MOST);
	nplaces = ty_trace_places(at, places, MOST);
	for (unsigned i = 0; i < nplaces; i++)
		held[i] = *places[i];
	looks++;
	sink++;
}

/* The same from the first of ours on; to the end if all is to be seen. */
static void same(bool all)
{
	unsigned skip = 0;

	while (skip < ntheirs && theirs[skip] != ours[0])
		skip++;
	cr_assert(nours > 2 && skip < ntheirs, "%u of ours, %u of theirs", nours, ntheirs);
	for (unsigned i = 0; i < nours; i++)
		cr_assert(skip + i < ntheirs && ours[i] == theirs[skip + i], "frame %u: %lx, not %lx", i, (long)ours[i], (long)theirs[skip + i]);
	if (all)
		cr_assert(skip + nours == ntheirs, "%u frames, not %u", nours, ntheirs - skip);
	cr_assert(nplaces + 1 == nours || !all, "%u places, %u addresses", nplaces, nours);
	for (unsigned i = 0; i < nplaces; i++)
		cr_assert(held[i] == ours[i + 1], "place %u", i);
}

static __attribute__((noinline)) void plain(void)
{
	look();
	sink++;
}
static __attribute__((noinline)) void variable(int n)
{
	char *p = alloca((size_t)n);
	p[0] = 1;
	plain();
	sink += p[0];
}
static __attribute__((noinline)) void aligned(int n)
{
	_Alignas(256) volatile char all[512];
	all[n] = 1;
	variable(n);
	sink += all[n];
}
/* Arguments on the stack, and all registers in use. */
static __attribute__((noinline)) int many(int a, int b, int c, int d, int e, int f, int g, int h, int i)
{
	long w[8] = {a, b, c, d, e, f, g, h};
	aligned(b);
	for (int k = 0; k < 8; k++)
		w[k] = w[k] * w[(k + 1) & 7] + i;
	return (int)(w[0] ^ w[1] ^ w[2] ^ w[3] ^ w[4] ^ w[5] ^ w[6] ^ w[7]);
}
static __attribute__((noinline)) int deep(int n)
{
	volatile char all[3000];
	all[n] = 1;
	int r = n ? deep(n - 1) : many(1, 99, 3, 4, 5, 6, 7, 8, 9);
	return r + all[n];
}

Test(trace, frames)
{
	plain();
	same(true);
	variable(5000);
	same(true);
	sink = deep(0);
	same(true);
	sink = deep(20);
	same(true);
	cr_assert(looks == 4);
}

static int compare(const void *a, const void *b)
{
	aligned(3);
	return *(const int *)a - *(const int *)b;
}

Test(trace, through_libc)
{
	int all[] = {3, 1, 2};

	qsort(all, 3, sizeof *all, compare);
	same(true);
}

static void on_signal(int s)
{
	variable(s);
}

/* The frames up to the handler's are seen in any case, and those that it interrupts if it runs on the same stack. */
Test(trace, in_a_handler)
{
	static char stack[64 << 10];
	struct sigaction a = {.sa_handler = on_signal};

	cr_assert(!sigaction(SIGUSR1, &a, NULL) && !raise(SIGUSR1));
	same(false);
	unsigned same_stack = nours;
	a.sa_flags = SA_ONSTACK;
	cr_assert(!sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL));
	cr_assert(!sigaction(SIGUSR1, &a, NULL) && !raise(SIGUSR1));
	same(false);
	cr_assert(looks == 2 && same_stack > nours, "%u and %u", same_stack, nours);
}

/* No more is filled in than asked for, and nothing where no return address lies. */
Test(trace, few)
{
	uintptr_t two[3] = {0, 0, 7};

	cr_assert(ty_trace(&two[1], two, 2) == 0, "no return address lies there");
	cr_assert(ty_trace(TY_CALL(), two, 2) == 2 && two[0] == *TY_CALL() && two[1] && two[2] == 7);
}
#else
Test(trace, not_on_this_machine) {}
#endif
