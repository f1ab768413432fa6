/* Memory that the kernel has put into the process: free_vdso [realloc|usable]. */
#include "attack.h"

#include <sys/auxv.h>

int main(int argc, char **argv)
{
	begin();
	const char *how = word(argc, argv, 1, "free");
	char *p = (char *)getauxval(AT_SYSINFO_EHDR) + 0x40;
	MUST((uintptr_t)p > 0x40);
	hold(p - 0x40, 8192);
	hide(make(100));
	crime(p);
	if (!strcmp(how, "realloc"))
		hide(realloc(hide(p), 200));
	else if (!strcmp(how, "usable"))
		return malloc_usable_size(hide(p)) ? survived() : harmless();
	else
		free(hide(p));
	return aftermath(100);
}
