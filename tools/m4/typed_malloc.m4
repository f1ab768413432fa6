# TY_ADD_FLAGS(VARIABLE, FLAGS)
# Append to the shell variable VARIABLE those of FLAGS that the C compiler takes without a word.
AC_DEFUN([TY_ADD_FLAGS],
[for ty_flag in m4_normalize([$2]); do
	AC_MSG_CHECKING([whether $CC accepts $ty_flag])
	ty_saved=$CFLAGS
	CFLAGS="$CFLAGS -Werror $ty_flag"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM],
		[AC_MSG_RESULT([yes])
		 $1="$$1 $ty_flag"],
		[AC_MSG_RESULT([no])])
	CFLAGS=$ty_saved
done])

# TY_CHECK_TOKENS
# Set ty_cv_tokens and the conditional HAVE_TOKENS: can the compiler infer allocation tokens, in
# the mode the library understands (the hash of the type's name, the upper half for types that
# hold pointers)?
AC_DEFUN([TY_CHECK_TOKENS],
[AC_CACHE_CHECK([whether $CC has allocation tokens], [ty_cv_tokens],
	[AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[
		#if !defined __has_builtin
		#error "no __has_builtin"
		#elif !__has_builtin(__builtin_infer_alloc_token)
		#error "no tokens"
		#endif]], [[
		_Static_assert(__builtin_constant_p(__builtin_infer_alloc_token(sizeof(int))), "");
		_Static_assert(__builtin_infer_alloc_token(sizeof(void *)) >= (__SIZE_TYPE__)-1 / 2, "");]])],
		[ty_cv_tokens=yes], [ty_cv_tokens=no])])
AM_CONDITIONAL([HAVE_TOKENS], [test "$ty_cv_tokens" = yes])])

# TY_CHECK_CXX
# Set the conditional HAVE_CXX: is there a C++ compiler with its headers? Only tests need one; the
# library's operator new is written in C.
AC_DEFUN([TY_CHECK_CXX],
[AC_CACHE_CHECK([whether $CXX works], [ty_cv_cxx],
	[AC_LANG_PUSH([C++])
	 AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <new>]], [[delete new int;]])],
		[ty_cv_cxx=yes], [ty_cv_cxx=no])
	 AC_LANG_POP([C++])])
AM_CONDITIONAL([HAVE_CXX], [test "$ty_cv_cxx" = yes])])
