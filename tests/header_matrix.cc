// What C++ has beside header_matrix.c: names in namespaces, of templates and of classes. Before C++14 gcc has no names but
// those in the source text.
#include "header_matrix.c"

#if UNIT == 1
namespace ns {
struct plain {
	int a[7];
};
struct linked {
	linked *next;
};
enum class colour { red };
class with_virtual {
public:
	virtual ~with_virtual() {}
	int a = 0;
};
template <class T> struct box {
	T *p;
	T value;
};
} // namespace ns
using alias = ns::linked;

template <class T> static T *in_a_template() { return typed_malloc_obj(T); }

static void only_cxx(void)
{
	AGREES("ns::plain", 0, ns::plain);
	AGREES("ns::linked", 1, ns::linked);
	AGREES("bool", 0, bool);
	AGREES("ns::colour", 0, ns::colour);
	AGREES("ns::with_virtual", 1, ns::with_virtual);
	AGREES("ns::linked *", 1, ns::linked *);
	auto *e = typed_malloc_obj(ns::box<int>);
	CHECK(e && typed_malloc_is(e, ns::box<int>) == 1);
	typed_free(e);
#if __cplusplus >= 201402L || defined(TYPED_MALLOC_HAS_TOKENS)
	AGREES("data", 0, data); /* without its key word */
	AGREES("unsigned int", 0, unsigned);
	AGREES("short", 0, short int);
	AGREES("long long", 0, long long);
	AGREES("ns::box<int>", 1, ns::box<int>);
	AGREES("ns::box<ns::plain>", 1, ns::box<ns::plain>);
	AGREES("ns::linked", 1, alias);
	ns::linked *l = in_a_template<ns::linked>();
	CHECK(l && type_of(l).token == typed_token_of_name("ns::linked", 1));
	typed_free(l);
	ns::linked *m = typed_malloc_obj(*m);
	CHECK(m && type_of(m).token == typed_token_of_name("ns::linked", 1));
	typed_free(m);
#endif
}
#endif
