// TYPED_MALLOC_TYPE_AWARE_NEW: new puts each type into its own memory, and delete ends the process when it is told another type than
// new was. An argument commits a crime and is not survived.
#define TYPED_MALLOC_TYPE_AWARE_NEW
#include "typed_malloc.h"

#include "attack/attack.h"

#include <memory>
#include <new>
#include <vector>

struct data {
	int a[12];
};
struct list {
	list *next;
	int a[10];
};
struct alignas(256) wide {
	char c[300];
};
static int alive;
struct base {
	long v = 1;
	base() { alive++; }
	virtual ~base() { alive--; }
};
struct derived : base {
	char more[200] = {};
	~derived() override { alive--; }
	derived() { alive++; }
};
struct second {
	long w = 2;
	virtual ~second() {}
};
struct both : second, base {
	list *l = nullptr;
};
struct with_destructor { // arrays have a cookie
	long v = 3;
	with_destructor() { alive++; }
	~with_destructor() { alive--; }
};
struct thrower {
	list *l = nullptr;
	thrower() { throw 1; }
};
struct own {
	static void *operator new(std::size_t n) { return malloc(n); }
	static void operator delete(void *p) { free(p); }
	long v = 0;
};
template <class T> struct box {
	T *p = nullptr;
	long v = 0;
};

static size_t token_of(const void *p)
{
	struct typed_type t;
	MUST(!typed_malloc_type_of(p, &t));
	return t.token;
}
#define NAME(n, pointers) typed_token_of_name(n, pointers)

static void types()
{
	const size_t n = hide_size(5);
	data *d = (data *)hide(new data);
	list *l = (list *)hide(new list);
	CHECK(token_of(d) == NAME("data", 0) && token_of(l) == NAME("list", 1));
	CHECK(typed_malloc_is(d, data) == 1 && typed_malloc_is(l, data) == 0);
	delete d;
	CHECK(typed_malloc_is(d, data) == -1);
	delete l;
	int *i = (int *)hide(new int(7));
	CHECK(token_of(i) == NAME("int", 0) && *i == 7);
	delete i;
	list **table = (list **)hide(new list *[n]);
	CHECK(token_of(table) == NAME("list *", 1));
	delete[] table;
	d = (data *)hide(new data[n]);
	CHECK(token_of(d) == NAME("data", 0));
	delete[] d;
	d = (data *)hide(new data[n * 10000]); // large
	CHECK(token_of(d) == NAME("data", 0));
	delete[] d;
	auto *a = (with_destructor *)hide(new with_destructor[n]);
	CHECK(alive == 5 && a[4].v == 3);
	delete[] a;
	CHECK(alive == 0);
	auto *b = (box<int> *)hide(new box<int>);
	CHECK(token_of(b) == NAME("box<int>", 1));
	delete b;
	wide *w = (wide *)hide(new wide), *v = (wide *)hide(new wide[n]);
	CHECK(!((uintptr_t)w & 255) && !((uintptr_t)v & 255));
	CHECK(token_of(w) == NAME("wide", 0) && token_of(v) == NAME("wide", 0));
	delete w;
	delete[] v;
	delete (data *)hide(nullptr);
	delete[] (data *)hide(nullptr);
	own *o = (own *)hide(new own); // the class's own forms stay
	CHECK(token_of(o) == 0);
	delete o;
	auto u = std::make_unique<list>();
	CHECK(token_of(u.get()) == NAME("list", 1));
}

static void inheritance()
{
	auto *p = (derived *)hide(new derived);
	CHECK(token_of(p) == NAME("derived", 1) && alive == 2);
	base *b = p; // its own destructor knows what it is
	delete b;
	CHECK(alive == 0 && typed_malloc_is(p, derived) == -1);
	both *q = (both *)hide(new both);
	CHECK(token_of(q) == NAME("both", 1));
	base *inside = q; // not the object's start
	CHECK((void *)inside != (void *)q);
	delete inside;
	CHECK(alive == 0);
	std::vector<std::unique_ptr<base>> all;
	for (int i = 0; i < 100; i++)
		all.emplace_back(i % 2 ? std::unique_ptr<base>(new base) : std::unique_ptr<base>(new derived));
	CHECK(alive == 150);
	all.clear();
	CHECK(alive == 0);
	// What a constructor throws away is given back.
	bool caught = false;
	try {
		hide(new thrower);
	} catch (int) {
		caught = true;
	}
	CHECK(caught);
}

static int handled;
static void handler()
{
	if (++handled == 2)
		std::set_new_handler(nullptr);
}
static void no_memory()
{
	for (int i = 0; i < 2; i++) {
		bool caught = false;
		std::set_new_handler(i ? handler : nullptr);
		try {
			hide(new data[hide_size(PTRDIFF_MAX / sizeof(data))]);
		} catch (const std::bad_alloc &) {
			caught = true;
		}
		CHECK(caught && handled == 2 * i);
	}
}

enum { MANY = 2000 };
static void never_shared()
{
	static data *d[MANY];
	static list *l[MANY];
	for (auto &p : d)
		p = (data *)hide(new data);
	for (auto &p : d)
		delete p;
	for (auto &p : l)
		p = (list *)hide(new list);
	for (auto &p : l)
		for (auto &q : d)
			MUST((void *)p != (void *)q);
	int again = 0;
	for (int i = 0; i < MANY; i++) {
		auto *p = (data *)hide(new data);
		for (auto &q : d)
			again += p == q;
	}
	CHECK(again > MANY / 2);
}

int main(int argc, char **argv)
{
	need_library();
	watchdog(60);
	if (argc == 1) {
		types();
		inheritance();
		no_memory();
		never_shared();
		return test_result("type_aware_new");
	}
	void *p = !strcmp(argv[1], "array") ? (void *)new data[hide_size(3)]
		: !strcmp(argv[1], "wide")  ? (void *)new wide
		: !strcmp(argv[1], "large") ? (void *)new data[hide_size(3000)]
					    : (void *)new data;
	hide(p);
	crime(p);
	if (!strcmp(argv[1], "array") || !strcmp(argv[1], "large"))
		delete[] (list *)p;
	else if (!strcmp(argv[1], "twice")) {
		delete (data *)p;
		delete (data *)hide(p);
	} else
		delete (list *)p;
	return survived();
}
