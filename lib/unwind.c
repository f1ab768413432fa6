/*
 * unwind.c: what the unwinder (trace.h) does at a return address that no unwind table covers.
 *
 * The compiler's support library looks there for a signal handler's way back, by the bytes of the code. But the place may be no
 * code at all: coroutines write a number of their own below their first function. So while a stack is walked for us such an
 * address is found to be in an outermost function, whose own return address is undefined. Only in the shared library, whose
 * unwinder is linked in with --wrap (local.mk).
 */
#include "trace.h"

#if defined(__x86_64__) && defined(PIC)
/* Of libgcc: struct dwarf_eh_bases; what it finds is the record of a table as LSB 5.0, 10.6, and DWARF 5, 6.4 describe it. */
struct ty_unwind_bases {
	void *text, *data, *function;
};
const void *__real__Unwind_Find_FDE(void *pc, struct ty_unwind_bases *bases);
TY_HIDDEN const void *__wrap__Unwind_Find_FDE(void *pc, struct ty_unwind_bases *bases);

enum { DEF_CFA = 0x0c, UNDEFINED = 0x07, RSP = 7, RETURN_ADDRESS = 16, MINUS_8 = 0x78 };
static const struct __attribute__((packed, aligned(8))) {
	u32 cie_bytes, cie_id;
	u8 version, augmentation, code_align, data_align, return_column, rules[5], pad[2];
	u32 fde_bytes, to_cie;
	u64 start, range;
} outermost = {.cie_bytes = 16,
	       .version = 1,
	       .code_align = 1,
	       .data_align = MINUS_8,
	       .return_column = RETURN_ADDRESS,
	       .rules = {DEF_CFA, RSP, 8, UNDEFINED, RETURN_ADDRESS},
	       .fde_bytes = 20,
	       .to_cie = 24, /* from this field back */
	       .range = UINT64_MAX};

const void *__wrap__Unwind_Find_FDE(void *pc, struct ty_unwind_bases *bases)
{
	const void *found = __real__Unwind_Find_FDE(pc, bases);

	if (found || !ty_tracing)
		return found;
	*bases = (struct ty_unwind_bases){0};
	return &outermost.fde_bytes;
}
#endif
