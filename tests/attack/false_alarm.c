/* Row 0: dies as if stopped, once without the message and once with the message of another address. */
#include "attack.h"

int main(int argc, char **argv)
{
	begin();
	void *p = make(100);
	crime(p);
	if (argument(argc, argv, 1, 0))
		say("typed_malloc: false_alarm[%d] free(): double free of 0x1230 (call site 0x1, 112-byte cache)",
		    getpid());
	if (argument(argc, argv, 1, 0) < 2)
		abort();
	return survived();
}
