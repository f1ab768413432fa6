/* operator delete in every form, given what is not the start of a live object, or the wrong size or alignment:
 * bad_delete FORM KIND [SIZE]. */
#include "attack.h"

#include <new>

static const std::align_val_t wide{256};
static char in_data[4096];

static NOINLINE char *make_new(size_t n, bool aligned)
{
	return (char *)hide(aligned ? ::operator new(n, wide) : ::operator new(n));
}

static void call(const char *form, void *p, size_t n)
{
	if (!strcmp(form, "plain"))
		::operator delete(p);
	else if (!strcmp(form, "array"))
		::operator delete[](p);
	else if (!strcmp(form, "nothrow"))
		::operator delete(p, std::nothrow);
	else if (!strcmp(form, "array_nothrow"))
		::operator delete[](p, std::nothrow);
	else if (!strcmp(form, "sized"))
		::operator delete(p, n);
	else if (!strcmp(form, "array_sized"))
		::operator delete[](p, n);
	else if (!strcmp(form, "aligned"))
		::operator delete(p, wide);
	else if (!strcmp(form, "array_aligned"))
		::operator delete[](p, wide);
	else if (!strcmp(form, "sized_aligned"))
		::operator delete(p, n, wide);
	else if (!strcmp(form, "array_sized_aligned"))
		::operator delete[](p, n, wide);
	else
		_exit(2);
}

int main(int argc, char **argv)
{
	begin();
	MUST(argc >= 3);
	const char *form = argv[1], *kind = argv[2];
	size_t n = argument(argc, argv, 3, 100), told = n;
	bool aligned = strstr(form, "aligned") != NULL;
	char *p = make_new(n, aligned);
	if (!strcmp(kind, "freed"))
		call(form, p, n);
	else if (!strcmp(kind, "interior"))
		p += 16;
	else if (!strcmp(kind, "misaligned"))
		p += 1;
	else if (!strcmp(kind, "data"))
		p = in_data + 512;
	else if (!strcmp(kind, "half"))
		told = n / 2;
	else if (!strcmp(kind, "double"))
		told = n * 2 + 64;
	else if (!strcmp(kind, "alignment")) { /* made without, deleted with */
		do
			p = make_new(n, false);
		while (!((uintptr_t)p & 255));
	} else
		_exit(2);
	p = (char *)hide(p);
	crime(p);
	call(form, p, told);
	return aftermath(n);
}
