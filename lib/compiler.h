/* compiler.h: what we ask of the compiler, and nothing else. */
#ifndef TY_COMPILER_H
#define TY_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define TY_EXPORT __attribute__((visibility("default")))
#define TY_EXPORT_OWN __attribute__((visibility("protected"))) /* and what we call ourselves is this one */
/*
 * What stands before libc's, or another library's, to see the call. In a static program, which may have that one besides, it gives
 * way to it.
 */
#define TY_HOOK TY_EXPORT __attribute__((weak))
/* For the start, and around fork: beside its kind, out of the way of what runs on. */
#define TY_START __attribute__((noinline, section(".text.startup")))
/*
 * For each start and end, be it of a program that never allocates: within the library's first 64 KiB, which the dynamic linker reads
 * and the kernel maps at once. Another 64 KiB would cost a small program a hundredth of its time. (The linker puts the
 * section near the front.)
 */
#define TY_EVERY_START __attribute__((noinline, section(".text.exit")))
#define TY_HIDDEN __attribute__((visibility("hidden"))) /* reached without the global offset table */
#define TY_INLINE static inline __attribute__((always_inline))
#define TY_COLD __attribute__((noinline, cold))
#define TY_NOINLINE __attribute__((noinline))
#define TY_NORETURN __attribute__((noreturn))
/* Before a return: the function called takes our frame's place. (gcc does so by itself when it optimises.) */
#if __has_attribute(musttail)
#define TY_TAIL_CALL __attribute__((musttail))
#else
#define TY_TAIL_CALL
#endif
#define TY_LINE 64 /* bytes in a cache line on every machine we serve */

/*
 * Where in the stack the address lies that our caller continues at: *TY_CALL() is the call site of malloc. In public
 * functions only.
 */
#if defined(__clang__) && defined(__x86_64__) && defined(TY_HAVE_ADDRESS_OF_RETURN)
void *_AddressOfReturnAddress(void);
#define TY_CALL() ((const uintptr_t *)_AddressOfReturnAddress())
#elif defined(__x86_64__)
#define TY_CALL() ((const uintptr_t *)__builtin_dwarf_cfa() - 1)
#else
/* One level: a place of the compiler's own. */
#define TY_CALL() (&(const uintptr_t){(uintptr_t)__builtin_return_address(0)})
#endif

/*
 * A public function of one or two arguments whose work impl does, which gets TY_CALL() as one argument more. On x86 it is two
 * instructions: a function that takes the address of its own return address gets a frame, and no calls in its tail.
 */
#if defined(__x86_64__)
#define TY_ENTRY_(name, args, impl, reg)                                                                     \
	TY_EXPORT __attribute__((naked)) void *name args                                                     \
	{                                                                                                    \
		__asm__("mov %rsp, %" reg "\n\tjmp " #impl);                                                  \
	}
#define TY_ENTRY1(name, a, impl) TY_ENTRY_(name, (a __attribute__((unused))), impl, "rsi")
#define TY_ENTRY2(name, a, b, impl) TY_ENTRY_(name, (a __attribute__((unused)), b __attribute__((unused))), impl, "rdx")
#endif

/*
 * This function keeps the frame pointer for what it is, as who unwinds by it (the sanitizers do, at each allocation)
 * must find whoever called malloc. For slow functions: the fast ones have no frame and leave the register alone.
 */
#define TY_FRAME() __asm__ volatile("" ::"r"(__builtin_frame_address(0)))

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;

#define TY_LOAD(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define TY_LOAD_ACQ(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define TY_STORE(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define TY_STORE_REL(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

#endif
