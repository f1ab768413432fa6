// An object of a derived class, deleted through its base, which has no virtual destructor: the compiler passes the base's size.
#include "attack.h"

struct base {
	long a[2];
};
struct derived : base {
	long b[30];
};

static NOINLINE base *make_derived() { return (base *)hide(new derived()); }

int main()
{
	begin();
	base *p = NULL;
	for (int i = 0; i < 40; i++)
		p = make_derived();
	crime(p);
	delete p;
	return aftermath(sizeof(derived));
}
