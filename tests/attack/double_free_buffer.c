/* A buffer that libc made for us (strdup, getline, asprintf), freed twice. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	MUST(argc >= 2);
	char *p = NULL;
	if (!strcmp(argv[1], "strdup"))
		p = strdup("a text that libc copies");
	else if (!strcmp(argv[1], "asprintf"))
		MUST(asprintf(&p, "%d", 42) > 0);
	else {
		size_t n = 0;
		FILE *f = fopen("/proc/self/status", "r");
		MUST(f && getline(&p, &n, f) > 0);
		fclose(f);
	}
	free(p);
	crime(p);
	size_t n = strlen("a text that libc copies") + 1;
	free(hide(p));
	return aftermath(n);
}
