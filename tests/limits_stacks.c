/* A function that allocates, with a frame of no constant size, learnt as a wrapper where its frames are large, is then called near the end of
 * small stacks: of threads, and of coroutines with nothing, or a small thread's guard, behind their stack. Where its caller's address
 * would be there is no memory. And coroutines whose first function returns to no code at all, or to a function's first byte, which the unwind
 * table of the one before it seems to cover; and assembly that keeps a number in the frame pointer. */
#define _GNU_SOURCE
#include "util.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { LEARNT = 20000, STACK = 64 << 10 };

/* Quotes a text in an array as long as it needs. */
static NOINLINE char *quoted(const char *s, size_t n)
{
	char work[n * 2 + 1];
	size_t k = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"')
			work[k++] = '\\';
		work[k++] = s[i];
	}
	char *p = hide(malloc(200));
	MUST(p);
	memcpy(p, work, k < 200 ? k : 200);
	return p;
}

static NOINLINE char *from_file(const char *s, size_t n)
{
	char *p = quoted(s, n);
	*p = 'f';
	return p;
}

static NOINLINE char *from_net(const char *s, size_t n)
{
	char *p = quoted(s, n);
	*p = 'n';
	return p;
}

static void *answer(void *arg)
{
	for (int i = 0; i < 300; i++)
		free(i % 2 ? from_net("GET /", 5) : from_file("GET /", 5));
	return arg;
}

static ucontext_t main_context, coroutine;

static void run(void)
{
	answer(NULL);
	swapcontext(&coroutine, &main_context);
}

static void run_on(char *stack)
{
	MUST(!getcontext(&coroutine));
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = STACK;
	coroutine.uc_link = &main_context;
	makecontext(&coroutine, run, 0);
	MUST(!swapcontext(&main_context, &coroutine));
}

static char text[3000];
static char *kept[LEARNT];

static void learn(size_t length)
{
	for (int i = 0; i < LEARNT; i++)
		kept[i] = i % 2 ? from_file(text, length) : from_net(text, length);
}

/* In a thread with the smallest stack there may be; right below its guard is the coroutine's. Frames of 3.8 KB reach from there into the guard. */
enum { GUARD = 4096, LEAST = 16 << 10 };
static void *in_small_thread(void *coroutine_stack)
{
	learn(1900);
	for (int i = 0; i < 8; i++)
		run_on(coroutine_stack);
	return NULL;
}

static void beside_small_thread(void)
{
	pthread_attr_t attr;
	pthread_t t;
	char *mapped = map_memory(STACK + GUARD + LEAST);

	MUST(!mprotect(mapped + STACK, GUARD, PROT_NONE) && !pthread_attr_init(&attr));
	if (pthread_attr_setstack(&attr, mapped + STACK + GUARD, LEAST) || pthread_create(&t, &attr, in_small_thread, mapped))
		return; /* this libc wants more */
	MUST(!pthread_join(t, NULL));
}

#if defined(__x86_64__)
void switch_stack(void **save, void *to);
__asm__(".text\n.globl switch_stack\nswitch_stack:\n\t"
	"push %rbp\n\tpush %rbx\n\tpush %r12\n\tpush %r13\n\tpush %r14\n\tpush %r15\n\t"
	"mov %rsp, (%rdi)\n\tmov %rsi, %rsp\n\t"
	"pop %r15\n\tpop %r14\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\tpop %rbp\n\tret\n");
static void *first_stack, *other_stack;

/* By its table 512 bytes long, up to the address of what follows. */
void before_no_return(void);
void no_return(void);
__asm__(".text\n.globl before_no_return\n.type before_no_return,@function\nbefore_no_return:\n\t.cfi_startproc\n\t"
	"sub $504, %rsp\n\t.cfi_adjust_cfa_offset 504\n\tud2\n\t.cfi_endproc\n\t.size before_no_return, .-before_no_return\n"
	".globl no_return\nno_return:\n\tud2\n");

static void never_returns(void)
{
	learn(10);
	for (;;)
		switch_stack(&other_stack, first_stack);
}

/* A coroutine whose first function returns to this address, which it never does. */
static void with_return_to(uintptr_t address)
{
	char *mapped = map_memory(3 * STACK), *stack = mapped + STACK;
	MUST(!mprotect(mapped, STACK, PROT_NONE) && !mprotect(mapped + 2 * STACK, STACK, PROT_NONE));
	uintptr_t *top = (uintptr_t *)(void *)(stack + STACK);

	memset(stack, 0xcc, STACK);
	top[-2] = (uintptr_t)never_returns;
	top[-1] = address;
	other_stack = top - 8;
	switch_stack(&first_stack, other_stack);
}
/* What lies there is whatever was there. */
static void to_no_code(void) { with_return_to(0xdeaddeaddeaddead); }
static void to_a_function(void) { with_return_to((uintptr_t)no_return); }

static void learn_some(void) { learn(10); }
/* A frame of no constant size: it is found by the frame pointer. */
static NOINLINE void calls_with_a_number(volatile int n)
{
	char work[n];
	work[0] = 1;
	hide(work);
	__asm__ volatile("sub $128, %%rsp\n\tpush %%rbp\n\tpush %%rbp\n\tmov $1, %%ebp\n\tcall *%0\n\tpop %%rbp\n\tpop %%rbp\n\tadd $128, %%rsp"
			 :
			 : "r"(learn_some)
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
}
static void number_in_frame_pointer(void) { calls_with_a_number(100); }
#else
static void to_no_code(void) {}
static void to_a_function(void) {}
static void number_in_frame_pointer(void) {}
#endif

/* Learnt where frames are of such a length, then called near the end of a thread's stack and of a coroutine's. */
static void near_ends(size_t length)
{
	pthread_t t;

	learn(length);
	for (int i = 0; i < 8; i++)
		MUST(!pthread_create(&t, NULL, answer, NULL) && !pthread_join(t, NULL));
	char *mapped = map_memory(3 * STACK);
	MUST(!mprotect(mapped, STACK, PROT_NONE) && !mprotect(mapped + 2 * STACK, STACK, PROT_NONE));
	for (int i = 0; i < 8; i++) {
		run_on(mapped + STACK);
		char *own = malloc(STACK); /* ends at a guard of the heap */
		MUST(own);
		run_on(own);
		free(own);
	}
	for (int i = 0; i < LEARNT; i++)
		CHECK(kept[i][0] == (i % 2 ? 'f' : 'n') && kept[i][199] == 'x');
}
/* Frames of 1.6 and of 6 KB: the one reaches past the end of a coroutine's stack, the other of a thread's. */
static void near_coroutines_end(void) { near_ends(800); }
static void near_threads_end(void) { near_ends(3000); }

int main(void)
{
	need_library();
	memset(text, 'x', sizeof text);
	APART(near_coroutines_end);
	APART(near_threads_end);
	APART(beside_small_thread);
	APART(to_no_code);
	APART(to_a_function);
	APART(number_in_frame_pointer);
	return test_result("limits_stacks");
}
