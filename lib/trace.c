/* trace.c: see trace.h. */
#include "trace.h"
#include "conf.h"

#include <unwind.h>

__thread bool ty_tracing __attribute__((tls_model("initial-exec")));

struct walk {
	const uintptr_t *at;
	const uintptr_t **place;
	uintptr_t *address;
	unsigned n, max;
	bool found;
};

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *arg)
{
	struct walk *w = arg;
	uintptr_t ip = _Unwind_GetIP(context);
	const uintptr_t *place = (const uintptr_t *)_Unwind_GetCFA(context) - 1;

	if (!w->found) {
		if (place != w->at)
			return place > w->at ? _URC_END_OF_STACK : _URC_NO_REASON;
		w->found = true;
		if (w->place)
			return _URC_NO_REASON;
	}
	if (!ip || w->n == w->max || (w->place && *place != ip))
		return _URC_END_OF_STACK;
	if (w->place)
		w->place[w->n++] = place;
	else
		w->address[w->n++] = ip;
	return w->n == w->max ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static void walk(struct walk *w)
{
	if (unlikely(ty_conf.static_program))
		return;
	ty_tracing = true;
	_Unwind_Backtrace(step, w);
	ty_tracing = false;
}

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
