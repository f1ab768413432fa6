/* mem_io.c: formatted text, input and output. See mem_check.h. */
#define _GNU_SOURCE
#include "mem_check.h"

#include <limits.h>

/* ---- formatted text: libc is told of no more room than there is, and only text that would not have fitted is a crime ---- */

/* Bytes that may be written at d; SIZE_MAX: not ours to say. */
static size_t room_at(const void *d, const char *fn)
{
	return ty_mem_ours(d) && ty_mem_ready() && ty_mem_ours(d) ? typed_malloc_mem_room(d, fn) : SIZE_MAX;
}

#define PLAIN (-1) /* as the flag of a call that is not fortified */

static int print(char *d, size_t size, int flag, size_t known_room, const char *format, va_list args, const char *fn)
{
	size_t room = size ? room_at(d, fn) : SIZE_MAX;
	bool fits = likely(room >= size || room > INT_MAX);
	size_t most = fits ? size : room;
	int n;

	if (flag == PLAIN ? !TY_REAL(vsnprintf) : !TY_REAL(__vsnprintf_chk))
		return -1;
	if (unlikely(!fits) && unlikely(!room))
		typed_malloc_mem_die(d, 1, true, fn);
	if (flag != PLAIN)
		n = ty_mem.__vsnprintf_chk(d, most, flag, fits ? known_room : room, format, args);
	else if (most == SIZE_MAX)
		n = ty_mem.vsprintf(d, format, args);
	else
		n = ty_mem.vsnprintf(d, most, format, args);
	if (unlikely(!fits) && unlikely(n >= 0 && (size_t)n >= room))
		typed_malloc_mem_die(d, (size_t)n < size ? (size_t)n + 1 : size, true, fn);
	return n;
}

/* Room that the compiler knew bounds text of any length. */
static int print_fortified(char *d, int flag, size_t known_room, const char *format, va_list args, const char *fn)
{
	ty_mem_fortify(1, known_room);
	int n = print(d, known_room, flag, known_room, format, args, fn);
	ty_mem_fortify(n < 0 ? 0 : (size_t)n + 1, known_room);
	return n;
}

TY_API(int, vsprintf, char *restrict d, const char *restrict format, va_list args)
{
	return print(d, SIZE_MAX, PLAIN, 0, format, args, "vsprintf");
}

TY_API(int, vsnprintf, char *restrict d, size_t size, const char *restrict format, va_list args)
{
	return print(d, size, PLAIN, 0, format, args, "vsnprintf");
}

TY_API(int, sprintf, char *restrict d, const char *restrict format, ...)
{
	va_list args;

	va_start(args, format);
	int n = print(d, SIZE_MAX, PLAIN, 0, format, args, "sprintf");
	va_end(args);
	return n;
}

TY_API(int, snprintf, char *restrict d, size_t size, const char *restrict format, ...)
{
	va_list args;

	va_start(args, format);
	int n = print(d, size, PLAIN, 0, format, args, "snprintf");
	va_end(args);
	return n;
}

TY_API(int, __vsprintf_chk, char *restrict d, int flag, size_t room, const char *restrict format, va_list args)
{
	return print_fortified(d, flag, room, format, args, "vsprintf");
}

TY_API(int, __vsnprintf_chk, char *restrict d, size_t size, int flag, size_t room, const char *restrict format,
       va_list args)
{
	ty_mem_fortify(size, room);
	return print(d, size, flag, room, format, args, "vsnprintf");
}

TY_API(int, __sprintf_chk, char *restrict d, int flag, size_t room, const char *restrict format, ...)
{
	va_list args;

	va_start(args, format);
	int n = print_fortified(d, flag, room, format, args, "sprintf");
	va_end(args);
	return n;
}

TY_API(int, __snprintf_chk, char *restrict d, size_t size, int flag, size_t room, const char *restrict format, ...)
{
	va_list args;

	ty_mem_fortify(size, room);
	va_start(args, format);
	int n = print(d, size, flag, room, format, args, "snprintf");
	va_end(args);
	return n;
}

/* ---- input and output: the size that is asked for must fit, however much comes ---- */

#define CALL(result, name, parameters, arguments, check)                                                               \
	TY_EXPORT result name parameters;                                                                              \
	TY_EXPORT result name parameters                                                                               \
	{                                                                                                              \
		check;                                                                                                 \
		return TY_REAL(name) arguments;                                                                        \
	}
#define IN(result, name, parameters, arguments, d, n)                                                                  \
	CALL(result, name, parameters, arguments, ty_mem_will_write(d, n, #name, TY_SITE))
#define OUT(result, name, parameters, arguments, s, n)                                                                 \
	CALL(result, name, parameters, arguments, ty_mem_will_read(s, n, #name, TY_SITE))
#define IN_CHK(result, name, checked, parameters, arguments, d, n)                                                     \
	TY_EXPORT result name parameters;                                                                              \
	TY_EXPORT result name parameters                                                                               \
	{                                                                                                              \
		ty_mem_fortify(n, room);                                                                               \
		ty_mem_will_write(d, n, #checked, TY_SITE);                                                            \
		return TY_REAL(checked) arguments;                                                                     \
	}

#define LINE(n) ((n) > 0 ? (size_t)(n) : 0)

IN(ssize_t, read, (int fd, void *d, size_t n), (fd, d, n), d, n)
IN(ssize_t, pread, (int fd, void *d, size_t n, off_t at), (fd, d, n, at), d, n)
IN(ssize_t, pread64, (int fd, void *d, size_t n, off64_t at), (fd, d, n, at), d, n)
IN(ssize_t, recv, (int fd, void *d, size_t n, int flags), (fd, d, n, flags), d, n)
IN(ssize_t, recvfrom,
   (int fd, void *restrict d, size_t n, int flags, struct sockaddr *restrict from, socklen_t *restrict len),
   (fd, d, n, flags, from, len), d, n)
IN(size_t, fread, (void *restrict d, size_t size, size_t n, FILE *restrict f), (d, size, n, f), d,
   ty_mem_times(n, size))
IN(size_t, fread_unlocked, (void *restrict d, size_t size, size_t n, FILE *restrict f), (d, size, n, f), d,
   ty_mem_times(n, size))
IN(char *, fgets, (char *restrict d, int n, FILE *restrict f), (d, n, f), d, LINE(n))
IN(char *, fgets_unlocked, (char *restrict d, int n, FILE *restrict f), (d, n, f), d, LINE(n))

IN_CHK(ssize_t, __read_chk, read, (int fd, void *d, size_t n, size_t room), (fd, d, n), d, n)
IN_CHK(ssize_t, __pread_chk, pread, (int fd, void *d, size_t n, off_t at, size_t room), (fd, d, n, at), d, n)
IN_CHK(ssize_t, __pread64_chk, pread64, (int fd, void *d, size_t n, off64_t at, size_t room), (fd, d, n, at), d, n)
IN_CHK(ssize_t, __recv_chk, recv, (int fd, void *d, size_t n, size_t room, int flags), (fd, d, n, flags), d, n)
IN_CHK(ssize_t, __recvfrom_chk, recvfrom,
       (int fd, void *restrict d, size_t n, size_t room, int flags, struct sockaddr *restrict from,
	socklen_t *restrict len),
       (fd, d, n, flags, from, len), d, n)
IN_CHK(size_t, __fread_chk, fread, (void *restrict d, size_t room, size_t size, size_t n, FILE *restrict f),
       (d, size, n, f), d, ty_mem_times(n, size))
IN_CHK(size_t, __fread_unlocked_chk, fread_unlocked,
       (void *restrict d, size_t room, size_t size, size_t n, FILE *restrict f), (d, size, n, f), d,
       ty_mem_times(n, size))
IN_CHK(char *, __fgets_chk, fgets, (char *restrict d, size_t room, int n, FILE *restrict f), (d, n, f), d, LINE(n))
IN_CHK(char *, __fgets_unlocked_chk, fgets_unlocked, (char *restrict d, size_t room, int n, FILE *restrict f),
       (d, n, f), d, LINE(n))

OUT(ssize_t, write, (int fd, const void *s, size_t n), (fd, s, n), s, n)
OUT(ssize_t, pwrite, (int fd, const void *s, size_t n, off_t at), (fd, s, n, at), s, n)
OUT(ssize_t, pwrite64, (int fd, const void *s, size_t n, off64_t at), (fd, s, n, at), s, n)
OUT(ssize_t, send, (int fd, const void *s, size_t n, int flags), (fd, s, n, flags), s, n)
OUT(ssize_t, sendto, (int fd, const void *s, size_t n, int flags, const struct sockaddr *to, socklen_t len),
    (fd, s, n, flags, to, len), s, n)
OUT(size_t, fwrite, (const void *restrict s, size_t size, size_t n, FILE *restrict f), (s, size, n, f), s,
    ty_mem_times(n, size))
OUT(size_t, fwrite_unlocked, (const void *restrict s, size_t size, size_t n, FILE *restrict f), (s, size, n, f), s,
    ty_mem_times(n, size))
