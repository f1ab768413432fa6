/* cfi.c: see cfi.h. */
#define _GNU_SOURCE
#include "cfi.h"
#include "bits.h"
#include "os.h"

#include <dlfcn.h>
#include <string.h>

#if defined(__x86_64__)
enum { RBP = 6, RSP = 7, RETURN = 16 };
#define STEP_MAX ((uintptr_t)16 << 20) /* bytes; no frame is longer */
#define REMEMBERED 4

/* A part of a table; a read past its end gives 0 and sets p to NULL. */
struct bytes {
	const u8 *p, *end;
};

static u64 take(struct bytes *b, unsigned n)
{
	u64 x = 0;

	if (!b->p || (size_t)(b->end - b->p) < n) {
		b->p = NULL;
		return 0;
	}
	memcpy(&x, b->p, n); /* low byte first */
	b->p += n;
	return x;
}

static u64 take_uleb(struct bytes *b)
{
	u64 x = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		u64 byte = take(b, 1);
		x |= (byte & 0x7f) << shift;
		if (byte < 0x80)
			return x;
	}
	b->p = NULL;
	return 0;
}

static i64 take_sleb(struct bytes *b)
{
	u64 x = 0;

	for (unsigned shift = 0; shift < 64;) {
		u64 byte = take(b, 1);
		x |= (byte & 0x7f) << shift;
		shift += 7;
		if (byte < 0x80)
			return (i64)(byte & 0x40 && shift < 64 ? x | ~(u64)0 << shift : x);
	}
	b->p = NULL;
	return 0;
}

/* A block with its length before it. */
static struct bytes take_block(struct bytes *b)
{
	u64 n = take_uleb(b);
	struct bytes block = {b->p, b->p};

	if (!b->p || (u64)(b->end - b->p) < n) {
		b->p = NULL;
		return (struct bytes){NULL, NULL};
	}
	block.end += n;
	b->p += n;
	return block;
}

/* Bytes of a pointer in an encoding of the tables (LSB 5.0, 10.5.1); 0: not of a constant length. */
static unsigned encoded_bytes(u8 encoding)
{
	static const u8 bytes[16] = {8, 0, 2, 4, 8, [0xa] = 2, [0xb] = 4, [0xc] = 8};

	return encoding == 0x50 ? 0 : bytes[encoding & 0xf];
}

/* What a record of a table says of all that it covers (CIE). */
struct common {
	u64 code_align;
	i64 data_align;
	u8 pointer; /* encoding */
	bool augmented, signal;
	struct bytes rules;
};

/* What an entry of a table lies in, as a rule the memory of an object file; none of it is read outside. */
struct file {
	const u8 *start, *end;
};

/* An entry's bytes behind its length; p NULL: it cannot be read. */
static struct bytes entry(const struct file *f, const u8 *p)
{
	u32 n;

	if (p < f->start || p > f->end || f->end - p < (ptrdiff_t)sizeof n)
		return (struct bytes){NULL, NULL};
	memcpy(&n, p, sizeof n);
	if (n < 4 || n >= 0xfffffff0 || n > (size_t)(f->end - p) - sizeof n)
		return (struct bytes){NULL, NULL};
	return (struct bytes){p + 4, p + 4 + n};
}

/* The entry that covers an address, by the sorted table beside it; *function: where what it describes starts. NULL: none. */
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
static const u8 *find(uintptr_t pc, struct file *f, uintptr_t *function)
{
	struct dl_find_object o;
	u32 n;
	i32 at[2];

	if (_dl_find_object((void *)pc, &o) != 0 || !o.dlfo_eh_frame)
		return NULL;
	const u8 *header = o.dlfo_eh_frame;
	/* What is mapped may be a segment: the one that the tables are in. */
	if (_dl_find_object(o.dlfo_eh_frame, &o) != 0)
		return NULL;
	*f = (struct file){o.dlfo_map_start, o.dlfo_map_end};
	struct bytes b = {header, f->end};
	u8 version = (u8)take(&b, 1), pointer = (u8)take(&b, 1), count = (u8)take(&b, 1), table = (u8)take(&b, 1);
	if (version != 1 || count != 0x03 || table != 0x3b || !encoded_bytes(pointer)) /* udata4; datarel sdata4 */
		return NULL;
	take(&b, encoded_bytes(pointer));
	n = (u32)take(&b, 4);
	if (!b.p || n > (size_t)(b.end - b.p) / sizeof at)
		return NULL;
	u32 low = 0, high = n; /* the first behind pc is in [low, high] */
	while (low < high) {
		u32 middle = low + (high - low) / 2;
		memcpy(at, b.p + middle * sizeof at, sizeof at);
		if ((uintptr_t)header + (uintptr_t)(intptr_t)at[0] <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	memcpy(at, b.p + (low - 1) * sizeof at, sizeof at);
	*function = (uintptr_t)header + (uintptr_t)(intptr_t)at[0];
	return (const u8 *)((uintptr_t)header + (uintptr_t)(intptr_t)at[1]);
}
#else
/* Of the compiler's support library: its struct dwarf_eh_bases, and the record of a table that covers an address. */
struct bases {
	void *text, *data, *function;
};
const void *_Unwind_Find_FDE(void *pc, struct bases *bases);

static const u8 *find(uintptr_t pc, struct file *f, uintptr_t *function)
{
	struct bases bases;
	const u8 *found = _Unwind_Find_FDE((void *)pc, &bases);

	*f = (struct file){NULL, (const u8 *)PTRDIFF_MAX};
	*function = found ? (uintptr_t)bases.function : 0;
	return found;
}
#endif

static bool read_common(const struct file *f, const u8 *at, struct common *c)
{
	struct bytes b = entry(f, at);
	u64 id = take(&b, 4), version = take(&b, 1);
	const char *letters = (const char *)b.p;

	*c = (struct common){0};
	while (take(&b, 1))
		;
	if (!b.p || id || (version != 1 && version != 3 && version != 4))
		return false;
	if (version == 4 && (take(&b, 1) != sizeof(void *) || take(&b, 1))) /* segments */
		return false;
	c->code_align = take_uleb(&b);
	c->data_align = take_sleb(&b);
	if ((version == 1 ? take(&b, 1) : take_uleb(&b)) != RETURN)
		return false;
	if (*letters == 'z') {
		c->augmented = true;
		struct bytes data = take_block(&b);
		for (const char *l = letters + 1; *l; l++) {
			if (*l == 'S')
				c->signal = true;
			else if (*l == 'L')
				take(&data, 1);
			else if (*l == 'R')
				c->pointer = (u8)take(&data, 1);
			else if (*l == 'P')
				take(&data, encoded_bytes((u8)take(&data, 1)));
			else
				return false;
		}
		if (!data.p)
			return false;
	} else if (*letters) {
		return false;
	}
	c->rules = b;
	return b.p && c->code_align;
}

static i64 factored(u64 x, const struct common *c) { return (i64)(x * (u64)c->data_align); }

/* Where a value is: in its register still, at an offset from the frame's address, where an expression says, nowhere. */
struct rule {
	enum { SAME, AT, AT_EXPRESSION, LOST } how;
	i64 offset;
	struct bytes expression;
};

struct rules {
	struct {
		u64 reg;
		i64 offset;
		struct bytes expression; /* p not NULL: instead of these */
	} frame;
	struct rule bp, back;
};

static struct rule *rule_of(struct rules *r, u64 reg)
{
	return reg == RBP ? &r->bp : reg == RETURN ? &r->back : NULL;
}

static void set(struct rules *r, u64 reg, struct rule rule)
{
	if (rule_of(r, reg))
		*rule_of(r, reg) = rule;
}

/* The instructions of a table (DWARF 5, 7.24), those that hold a register or a distance in their low six bits as the long form. */
enum {
	NOP,
	ADVANCE_1 = 0x02,
	ADVANCE_2,
	ADVANCE_4,
	OFFSET,
	RESTORE,
	UNDEFINED,
	SAME_VALUE,
	REGISTER,
	REMEMBER,
	RECALL,
	FRAME,
	FRAME_REGISTER,
	FRAME_OFFSET,
	FRAME_EXPRESSION,
	EXPRESSION,
	OFFSET_SIGNED,
	FRAME_SIGNED,
	FRAME_OFFSET_SIGNED,
	VALUE_OFFSET,
	VALUE_OFFSET_SIGNED,
	VALUE_EXPRESSION,
	GNU_ARGUMENTS = 0x2e,
	INSTRUCTIONS
};
/* Their operands: a number, a signed one, one of so many bytes, a block; "-": none. NULL: not understood. */
static const char *const operands[INSTRUCTIONS] = {
	[NOP] = "-", [ADVANCE_1] = "1", [ADVANCE_2] = "2", [ADVANCE_4] = "4", [OFFSET] = "nn", [RESTORE] = "n", [UNDEFINED] = "n",
	[SAME_VALUE] = "n", [REGISTER] = "nn", [REMEMBER] = "-", [RECALL] = "-", [FRAME] = "nn", [FRAME_REGISTER] = "n",
	[FRAME_OFFSET] = "n", [FRAME_EXPRESSION] = "b", [EXPRESSION] = "nb", [OFFSET_SIGNED] = "ns", [FRAME_SIGNED] = "ns",
	[FRAME_OFFSET_SIGNED] = "s", [VALUE_OFFSET] = "nn", [VALUE_OFFSET_SIGNED] = "ns", [VALUE_EXPRESSION] = "nb", [GNU_ARGUMENTS] = "n",
};

struct instruction {
	u8 op;
	u64 n[2];
	struct bytes block;
};

static bool take_instruction(struct bytes *b, struct instruction *in)
{
	u8 op = (u8)take(b, 1), low = op & 0x3f;
	unsigned k = 0;

	*in = (struct instruction){.op = op};
	if (op >= 0x40) {
		in->op = op < 0x80 ? ADVANCE_1 : op < 0xc0 ? OFFSET : RESTORE;
		in->n[0] = low;
		in->n[1] = in->op == OFFSET ? take_uleb(b) : 0;
		return b->p != NULL;
	}
	if (op >= INSTRUCTIONS || !operands[op])
		return false;
	for (const char *o = operands[op]; *o && *o != '-'; o++) {
		if (*o == 'b')
			in->block = take_block(b);
		else
			in->n[k++] = *o == 'n' ? take_uleb(b) : *o == 's' ? (u64)take_sleb(b) : take(b, (unsigned)(*o - '0'));
	}
	return b->p != NULL;
}

/*
 * The rules at `left` bytes behind the function's start, or one entry's as far as they go. first: what the common part says.
 * False: there is an instruction that is not understood.
 */
static bool run(struct bytes b, const struct common *c, const struct rules *first, u64 left, struct rules *r)
{
	struct rules kept[REMEMBERED];
	unsigned nkept = 0;
	struct instruction in;

	while (b.p < b.end) {
		if (!take_instruction(&b, &in))
			return false;
		switch (in.op) {
		case ADVANCE_1:
		case ADVANCE_2:
		case ADVANCE_4:
			if (in.n[0] * c->code_align > left)
				return true;
			left -= in.n[0] * c->code_align;
			break;
		case OFFSET:
		case OFFSET_SIGNED:
			set(r, in.n[0], (struct rule){.how = AT, .offset = factored(in.n[1], c)});
			break;
		case EXPRESSION:
			set(r, in.n[0], (struct rule){.how = AT_EXPRESSION, .expression = in.block});
			break;
		case RESTORE:
			set(r, in.n[0], in.n[0] == RBP ? first->bp : first->back);
			break;
		case SAME_VALUE:
			set(r, in.n[0], (struct rule){.how = SAME});
			break;
		case UNDEFINED: /* and what no register of a caller's is restored by, as a rule */
		case REGISTER:
		case VALUE_OFFSET:
		case VALUE_OFFSET_SIGNED:
		case VALUE_EXPRESSION:
			set(r, in.n[0], (struct rule){.how = LOST});
			break;
		case REMEMBER:
			if (nkept == REMEMBERED)
				return false;
			kept[nkept++] = *r;
			break;
		case RECALL:
			if (!nkept)
				return false;
			*r = kept[--nkept];
			break;
		case FRAME:
		case FRAME_SIGNED:
			r->frame.reg = in.n[0];
			r->frame.offset = in.op == FRAME ? (i64)in.n[1] : factored(in.n[1], c);
			r->frame.expression.p = NULL;
			break;
		case FRAME_REGISTER:
			r->frame.reg = in.n[0];
			break;
		case FRAME_OFFSET:
		case FRAME_OFFSET_SIGNED:
			r->frame.offset = in.op == FRAME_OFFSET ? (i64)in.n[0] : factored(in.n[0], c);
			break;
		case FRAME_EXPRESSION:
			r->frame.expression = in.block;
			break;
		}
	}
	return true;
}

/* The word at x, in the stack. False: it is not there. */
static bool load(struct ty_frame *f, uintptr_t x, uintptr_t *out)
{
	uintptr_t page = ty_round_down(x, TY_PAGE);

	if (x % sizeof *out)
		return false;
	if (page != f->page && !ty_os_readable((const void *)x))
		return false;
	f->page = page;
	*out = *(const uintptr_t *)x;
	return true;
}

static bool reg_of(const struct ty_frame *f, u64 reg, uintptr_t *out)
{
	*out = reg == RSP ? f->sp : f->bp;
	return reg == RSP || (reg == RBP && f->has_bp);
}

/* An expression of one register, an offset from it, and perhaps the word there. */
static bool evaluate(struct ty_frame *f, struct bytes b, uintptr_t *out)
{
	u64 op = take(&b, 1);

	if (op < 0x70 || op > 0x8f || !reg_of(f, op - 0x70, out)) /* breg */
		return false;
	*out += (uintptr_t)take_sleb(&b);
	while (b.p && b.p < b.end) {
		op = take(&b, 1);
		if (op == 0x23) /* plus_uconst */
			*out += take_uleb(&b);
		else if (op != 0x06 || !load(f, *out, out)) /* deref */
			return false;
	}
	return b.p != NULL;
}

/* What a value is in the caller. */
static bool apply(struct ty_frame *f, const struct rule *rule, uintptr_t frame, uintptr_t *place, uintptr_t *out)
{
	*place = frame + (uintptr_t)rule->offset;
	return (rule->how == AT || (rule->how == AT_EXPRESSION && evaluate(f, rule->expression, place))) && load(f, *place, out);
}

bool ty_frame_up(struct ty_frame *f)
{
	uintptr_t pc = f->pc - !f->exact, function, frame, place, bp_place;
	struct file file;
	const u8 *found = find(pc, &file, &function);
	struct common c;

	if (!found)
		return false;
	struct bytes b = entry(&file, found);
	const u8 *here = b.p;
	u64 back = take(&b, 4);
	if (!b.p || !read_common(&file, (const u8 *)((uintptr_t)here - back), &c) || !encoded_bytes(c.pointer))
		return false;
	take(&b, encoded_bytes(c.pointer));
	if (pc - function >= take(&b, encoded_bytes(c.pointer)))
		return false;
	if (c.augmented)
		take_block(&b);

	struct rules first = {.frame = {.reg = RSP}, .bp = {.how = SAME}, .back = {.how = LOST}}, r;
	if (!run(c.rules, &c, &first, 0, &first))
		return false;
	r = first;
	if (!run(b, &c, &first, pc - function, &r))
		return false;

	if (r.frame.expression.p ? !evaluate(f, r.frame.expression, &frame) : !reg_of(f, r.frame.reg, &frame))
		return false;
	if (!r.frame.expression.p)
		frame += (uintptr_t)r.frame.offset;
	struct ty_frame up = {.sp = frame, .bp = f->bp, .exact = c.signal};
	if (frame - f->sp - 1 >= STEP_MAX || !apply(f, &r.back, frame, &place, &up.pc) || !up.pc)
		return false;
	up.place = (const uintptr_t *)place;
	up.has_bp = r.bp.how == SAME ? f->has_bp : apply(f, &r.bp, frame, &bp_place, &up.bp);
	up.page = f->page;
	*f = up;
	return true;
}
#endif
