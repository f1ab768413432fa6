/* SPDX-License-Identifier: MIT */
/**
 * @file typed_malloc_name.h
 * @brief Tokens for compilers that have none: typed_malloc.h includes this, nobody else.
 *
 * gcc and older clang: the token of a type from its name, so that their units share a type's memory with clang's. The name
 * is the text of the macro's argument (C++14: the compiler's own name for it), without struct, union or enum.
 * Text that is an expression has no name, and the call site stands in; but a variable cannot be told from a typedef: write
 * typed_malloc_obj(*p), or the type. Whether a type holds pointers they cannot tell: it does not when it is arithmetic, or
 * smaller or less aligned than a pointer; else it is taken to. All of this is folded to a constant when the compiler optimises.
 */
#ifndef TYPED_MALLOC_NAME_H
#define TYPED_MALLOC_NAME_H

#ifndef TYPED_MALLOC_H
#error "include typed_malloc.h"
#endif

#define TYPED_MALLOC_ROT_(x, n) ((x) << (n) | (x) >> (64 - (n)))
#define TYPED_MALLOC_ROUND_                                                                                  \
	(v0 += v1, v1 = TYPED_MALLOC_ROT_(v1, 13) ^ v0, v0 = TYPED_MALLOC_ROT_(v0, 32), v2 += v3,            \
	 v3 = TYPED_MALLOC_ROT_(v3, 16) ^ v2, v0 += v3, v3 = TYPED_MALLOC_ROT_(v3, 21) ^ v0, v2 += v1,       \
	 v1 = TYPED_MALLOC_ROT_(v1, 17) ^ v2, v2 = TYPED_MALLOC_ROT_(v2, 32))

#if defined(__cplusplus) && __cplusplus >= 201402L
#define TYPED_MALLOC_CONSTEXPR_ constexpr
#else
#define TYPED_MALLOC_CONSTEXPR_
#endif

/* Eight bytes at s, of which n count, little end first. */
TYPED_MALLOC_ATTR((__always_inline__))
static inline TYPED_MALLOC_CONSTEXPR_ unsigned long long typed_malloc_bytes_(const char *s, size_t n)
{
	return (n > 0 ? (unsigned long long)(unsigned char)s[0] : 0) |
	       (n > 1 ? (unsigned long long)(unsigned char)s[1] << 8 : 0) |
	       (n > 2 ? (unsigned long long)(unsigned char)s[2] << 16 : 0) |
	       (n > 3 ? (unsigned long long)(unsigned char)s[3] << 24 : 0) |
	       (n > 4 ? (unsigned long long)(unsigned char)s[4] << 32 : 0) |
	       (n > 5 ? (unsigned long long)(unsigned char)s[5] << 40 : 0) |
	       (n > 6 ? (unsigned long long)(unsigned char)s[6] << 48 : 0) |
	       (n > 7 ? (unsigned long long)(unsigned char)s[7] << 56 : 0);
}

/* SipHash-2-4 (Aumasson, Bernstein 2012) of n bytes with clang's key, in the lower or the upper half. n: below 64. */
TYPED_MALLOC_ATTR((__always_inline__))
static inline TYPED_MALLOC_CONSTEXPR_ size_t typed_malloc_hash_(const char *s, size_t n, int pointers)
{
	unsigned long long v0 = 0x794a1079ebc9d4b5ull ^ 0x736f6d6570736575ull, v1 = 0xd48187421b8bec6full ^ 0x646f72616e646f6dull,
			   v2 = 0x794a1079ebc9d4b5ull ^ 0x6c7967656e657261ull, v3 = 0xd48187421b8bec6full ^ 0x7465646279746573ull,
			   m = 0;
#define TYPED_MALLOC_BLOCK_(i)                                                                               \
	if (n >= (i) * 8 + 8) {                                                                              \
		m = typed_malloc_bytes_(s + (i) * 8, 8);                                                     \
		v3 ^= m;                                                                                     \
		TYPED_MALLOC_ROUND_;                                                                         \
		TYPED_MALLOC_ROUND_;                                                                         \
		v0 ^= m;                                                                                     \
	}
	TYPED_MALLOC_BLOCK_(0)
	TYPED_MALLOC_BLOCK_(1)
	TYPED_MALLOC_BLOCK_(2)
	TYPED_MALLOC_BLOCK_(3)
	TYPED_MALLOC_BLOCK_(4)
	TYPED_MALLOC_BLOCK_(5)
	TYPED_MALLOC_BLOCK_(6)
#undef TYPED_MALLOC_BLOCK_
	m = typed_malloc_bytes_(s + n / 8 * 8, n % 8) | (unsigned long long)n << 56;
	v3 ^= m;
	TYPED_MALLOC_ROUND_;
	TYPED_MALLOC_ROUND_;
	v0 ^= m;
	v2 ^= 0xff;
	TYPED_MALLOC_ROUND_;
	TYPED_MALLOC_ROUND_;
	TYPED_MALLOC_ROUND_;
	TYPED_MALLOC_ROUND_;
	return (size_t)((v0 ^ v1 ^ v2 ^ v3) % ((size_t)-1 / 2)) + (pointers ? (size_t)-1 / 2 : 0);
}

#if defined(__cplusplus) && __cplusplus >= 201402L
extern "C++" {
namespace typed_malloc_detail {
struct name {
	char text[64];
	size_t n; /* 64: too long */
};
constexpr bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		++a, ++b;
	return *a == *b;
}
/* What gcc writes, as clang writes it. */
constexpr const char *arithmetic(const char *s)
{
	return same(s, "long unsigned int") ? "unsigned long" : same(s, "long int") ? "long" : same(s, "short int") ? "short"
	     : same(s, "short unsigned int") ? "unsigned short" : same(s, "long long int") ? "long long"
	     : same(s, "long long unsigned int") ? "unsigned long long" : s;
}
/* "... [with T = foo; ...]" or "... [T = foo]", a space before the first asterisk. */
template <class T> constexpr name name_of()
{
	name r{};
	const char *s = __PRETTY_FUNCTION__;
	int depth = 0;
	while (!(s[0] == ' ' && s[1] == '=' && s[2] == ' '))
		++s;
	for (s += 3; *s && !(depth == 0 && (*s == ';' || *s == ']')); ++s) {
		depth += (*s == '[') - (*s == ']');
		if (r.n >= 62)
			return name{{}, 64};
		if ((*s == '*' || *s == '&') && r.n && r.text[r.n - 1] != ' ' && r.text[r.n - 1] != '*')
			r.text[r.n++] = ' ';
		r.text[r.n++] = *s;
	}
	const char *a = arithmetic(r.text);
	if (a != r.text) {
		name b{};
		while (a[b.n])
			b.text[b.n] = a[b.n], ++b.n;
		return b;
	}
	return r;
}
template <class T> struct arithmetic_type {
	static constexpr bool value = __is_enum(T);
};
#define TYPED_MALLOC_ARITHMETIC_(T)                                                                          \
	template <> struct arithmetic_type<T> {                                                              \
		static constexpr bool value = true;                                                          \
	};
TYPED_MALLOC_ARITHMETIC_(long) TYPED_MALLOC_ARITHMETIC_(unsigned long) TYPED_MALLOC_ARITHMETIC_(long long)
TYPED_MALLOC_ARITHMETIC_(unsigned long long) TYPED_MALLOC_ARITHMETIC_(double) TYPED_MALLOC_ARITHMETIC_(long double)
#undef TYPED_MALLOC_ARITHMETIC_
template <class T> struct token_of {
	static constexpr name text = name_of<T>();
	static constexpr size_t value =
		text.n >= 64 ? 0
			     : typed_malloc_hash_(text.text, text.n,
						  !(sizeof(T) < sizeof(void *) || alignof(T) < alignof(void *) ||
						    arithmetic_type<T>::value));
};
} // namespace typed_malloc_detail
}
#define TYPED_MALLOC_TOKEN_OF_(name, ...) (typed_malloc_detail::token_of<__typeof__(__VA_ARGS__)>::value)
#else
TYPED_MALLOC_ATTR((__always_inline__))
static inline size_t typed_malloc_token_of_(const char *s, size_t size, size_t align, int kind)
{
	size_t n = __builtin_strlen(s);

	if (n > 7 && __builtin_strncmp(s, "struct ", 7) == 0)
		s += 7, n -= 7;
	else if (n > 6 && __builtin_strncmp(s, "union ", 6) == 0)
		s += 6, n -= 6;
	else if (n > 5 && __builtin_strncmp(s, "enum ", 5) == 0)
		s += 5, n -= 5;
	/* An expression, or a name whose tag is inside: no name as clang writes it. */
	if (n >= 64 || s[0] == '*' || (s[0] >= '0' && s[0] <= '9') || __builtin_strpbrk(s, "()[]{}.&+-!~?/%\"'=|^") != 0)
		return 0;
	if (__builtin_strstr(s, "struct ") != 0 || __builtin_strstr(s, "union ") != 0 || __builtin_strstr(s, "enum ") != 0)
		return 0;
	/* kind: of __builtin_classify_type: 1 integer, 3 enumeration, 4 boolean, 8 real, 9 complex */
	int pointers = !(size < sizeof(void *) || align < sizeof(void *) || kind == 1 || kind == 3 || kind == 4 ||
			 kind == 8 || kind == 9);
#ifdef __OPTIMIZE__
	return typed_malloc_hash_(s, n, pointers);
#else
	return typed_token_of_name(s, pointers); /* nothing would be folded */
#endif
}
#define TYPED_MALLOC_TOKEN_OF_(name, ...)                                                                    \
	typed_malloc_token_of_(name, sizeof(__typeof__(__VA_ARGS__)), __alignof__(__typeof__(__VA_ARGS__)),  \
			       __builtin_classify_type(*(__typeof__(__VA_ARGS__) *)0))
#endif

/* A typedef or a variable may bear another name than its type's: a name that does not agree says nothing. */
static inline int typed_malloc_is_(const void *p, size_t token)
{
	return token != 0 && typed_malloc_is_name(p, token) == 1 ? 1 : -1;
}

#endif
