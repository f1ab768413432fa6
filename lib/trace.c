/* trace.c: see trace.h. */
#include "trace.h"
#include "cfi.h"
#include "conf.h"

#if !defined(__x86_64__)
#include <unwind.h>
#endif

struct walk {
	const uintptr_t *at;
	const uintptr_t **place;
	uintptr_t *address;
	unsigned n, max;
	bool found;
};

/* A return address and where it lies. False: that is enough. */
static bool step(struct walk *w, const uintptr_t *place, uintptr_t ip)
{
	if (!w->found) {
		if (place != w->at)
			return place < w->at;
		w->found = true;
		if (w->place)
			return true;
	}
	if (!ip || w->n == w->max || (w->place && *place != ip))
		return false;
	if (w->place)
		w->place[w->n++] = place;
	else
		w->address[w->n++] = ip;
	return w->n != w->max;
}

#if defined(__x86_64__)
static TY_NOINLINE void walk(struct walk *w)
{
	struct ty_frame f;

	TY_FRAME_HERE(&f);
	while (!ty_conf.static_program && ty_frame_up(&f)) {
		/* A chain does not go on where a handler has come in between. */
		bool called = (uintptr_t)(f.place + 1) == f.sp;
		if ((w->place && !called) || !step(w, f.place, f.pc))
			break;
	}
}
#else
static _Unwind_Reason_Code each(struct _Unwind_Context *context, void *arg)
{
	bool more = step(arg, (const uintptr_t *)_Unwind_GetCFA(context) - 1, _Unwind_GetIP(context));

	return more ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void walk(struct walk *w)
{
	if (!ty_conf.static_program)
		_Unwind_Backtrace(each, w);
}
#endif

unsigned ty_trace_places(const uintptr_t *at, const uintptr_t **out, unsigned n)
{
	struct walk w = {.at = at, .place = out, .max = n};
#if defined(__x86_64__)
	walk(&w);
#endif
	return w.n;
}

unsigned ty_trace(const uintptr_t *at, uintptr_t *out, unsigned n)
{
	struct walk w = {.at = at, .address = out, .max = n};

	walk(&w);
	return w.n;
}
