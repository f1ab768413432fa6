// An object with a vtable is deleted, the attacker's bytes take its place, and a virtual function is called through the dangling
// pointer.
#include "attack.h"

struct shape {
	virtual ~shape() {}
	virtual void draw() {}
	char name[88];
};

static void owned(void *) { _exit(survived()); }
static void (*forged[4])(void *) = {owned, owned, owned, owned};

static NOINLINE shape *make_shape() { return new shape; }
static NOINLINE char *make_bytes(size_t n) { return new char[n]; }

int main()
{
	begin();
	shape *all[100];
	for (shape *&s : all)
		s = make_shape();
	for (shape *s : all)
		delete (shape *)hide(s);
	for (int i = 0; i < 5000; i++) {
		char *p = make_bytes(sizeof(shape));
		void *table = forged;
		memset(p, 0, sizeof(shape));
		memcpy(p, &table, sizeof table);
	}
	crime(all[50]);
	// As the compiler would: by the object's first word, which is the freed object's, zero, or the attacker's.
	void (**table)(void *) = *(void (***)(void *))hide(all[50]);
	if (table != forged)
		return harmless();
	table[2](all[50]);
	return survived();
}
